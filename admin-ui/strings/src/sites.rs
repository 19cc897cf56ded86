//! Sites, a site's own page, connections.

crate::texts!(Sites {
    lead: "The WordPress sites that publish through this relay.", "Die WordPress-Websites, die über dieses Relay veröffentlichen.";
    add: "Add site", "Website hinzufügen";
    empty: "No sites yet", "Noch keine Websites";
    empty_text: "Add the first one here, or press Connect in the plugin's settings in WordPress.", "Füge die erste hier hinzu oder drücke in WordPress in den Einstellungen des Plugins auf Connect.";
    none_found: "No site matches", "Keine Website passt";
    none_found_text: "Nothing has “{search}” in its name or address.", "Nichts hat „{search}“ in Name oder Adresse.";
    search: "Search by name or address", "Nach Name oder Adresse suchen";
    show_archived: "Show archived ({n})", "Archivierte anzeigen ({n})";
    url: "Address", "Adresse";
    url_hint: "As visitors type it, with https://", "Wie Besucher sie eingeben, mit https://";
    name: "Name", "Name";
    name_hint: "For you; empty takes the host name.", "Für dich; leer nimmt den Hostnamen.";
    active: "Active", "Aktiv";
    archived: "Archived", "Archiviert";
    deactivated: "Switched off", "Abgeschaltet";
    connections_now: "Connections", "Verbindungen";
    rate: "Messages/s", "Nachrichten/s";
    month: "This month", "Diesen Monat";
    last_publish: "Last publish", "Zuletzt veröffentlicht";
    last_browser: "Last browser", "Letzter Browser";
    not_yet: "not yet", "noch nicht";
    added_title: "Site added", "Website hinzugefügt";
    added_text: "WordPress needs only the lines below; the plugin fetches its credentials when you press Connect there. To enter them by hand, copy them now: later they are shown again only after your password.", "WordPress braucht nur die Zeilen unten; das Plugin holt seine Zugangsdaten, wenn du dort auf Connect drückst. Um sie von Hand einzutragen, kopiere sie jetzt: Später werden sie nur nach deinem Passwort wieder gezeigt.";
    open_site: "Open the site", "Website öffnen";

    // Tabs
    tab_overview: "Overview", "Übersicht";
    tab_credentials: "Credentials", "Zugangsdaten";
    tab_connections: "Connections", "Verbindungen";
    tab_channels: "Channels", "Kanäle";
    tab_triggers: "Triggers", "Auslöser";
    tab_events: "Events", "Ereignisse";
    tab_refusals: "Refusals", "Ablehnungen";
    tab_settings: "Settings", "Einstellungen";
    tabs: "Parts of the site's page", "Teile der Website-Seite";

    // Overview tab
    usage: "Usage", "Nutzung";
    usage_days: "Messages per day, last 30 days (UTC)", "Nachrichten je Tag, letzte 30 Tage (UTC)";
    usage_day: "{day}: {n} messages, {deliveries} deliveries, at most {peak} connections", "{day}: {n} Nachrichten, {deliveries} Zustellungen, höchstens {peak} Verbindungen";
    usage_none: "No messages in the last 30 days.", "Keine Nachrichten in den letzten 30 Tagen.";
    of_limit: "of {limit}", "von {limit}";
    unlimited: "no limit", "ohne Grenze";
    facts: "About this site", "Über diese Website";
    site_key: "Site key", "Site Key";
    site_id: "Site id", "Site-ID";
    created: "Added", "Hinzugefügt";
    secrets_overlap: "Old secrets work until", "Alte Geheimnisse gelten bis";
    open_warning: "This site's dispatch is open: a socket on / needs no token, and anyone on this machine can send.", "Dispatch dieser Website ist offen: Ein Socket auf / braucht kein Token, und jeder auf diesem Rechner kann senden.";
    wp_config: "wp-config.php", "wp-config.php";
    wp_config_text: "Paste above the line “That's all, stop editing!”.", "Über der Zeile „That's all, stop editing!“ einfügen.";
    archived_note: "This site is archived: its key does not work and nobody can connect.", "Diese Website ist archiviert: Ihr Schlüssel gilt nicht, und niemand kann sich verbinden.";
    deactivated_note: "This site is switched off: WordPress and browsers are refused with “account_deactivated”.", "Diese Website ist abgeschaltet: WordPress und Browser werden mit „account_deactivated“ abgelehnt.";

    // Credentials tab
    credentials: "Credentials", "Zugangsdaten";
    credentials_text: "What WordPress signs with. Shown only after your password.", "Womit WordPress unterschreibt. Nur nach deinem Passwort sichtbar.";
    show_secrets: "Show secrets", "Geheimnisse anzeigen";
    hide_secrets: "Hide secrets", "Geheimnisse verbergen";
    publish_secret: "Publish secret", "Publish Secret";
    jwt_secret: "JWT secret", "JWT Secret";
    rotate: "Rotate secrets", "Geheimnisse erneuern";
    rotate_text: "Makes new secrets. For the overlap the old ones work too, so that WordPress can be changed without losing a message.", "Erzeugt neue Geheimnisse. Während der Überlappung gelten auch die alten, damit WordPress umgestellt werden kann, ohne eine Nachricht zu verlieren.";
    overlap: "Overlap", "Überlappung";
    overlap_none: "None: old secrets end now", "Keine: alte enden sofort";
    overlap_hour: "1 hour", "1 Stunde";
    overlap_day: "1 day", "1 Tag";
    overlap_week: "7 days", "7 Tage";
    rotated: "The site has new secrets", "Die Website hat neue Geheimnisse";
    connector: "WordPress connector", "WordPress-Connector";
    connector_text: "A single PHP file with this site's credentials filled in: for sites that use triggers and their own pages instead of the plugin. Put it into wp-content/mu-plugins. Keep it secret.", "Eine einzelne PHP-Datei mit den Zugangsdaten dieser Website: für Websites, die Auslöser und eigene Seiten statt des Plugins benutzen. Lege sie nach wp-content/mu-plugins. Halte sie geheim.";
    connector_download: "Download connector", "Connector herunterladen";
    dispatch: "Dispatch", "Dispatch";
    dispatch_text: "For simple scripts that post JSON without a signature: {\"event\", \"data\", \"timestamp\"}.", "Für einfache Skripte, die JSON ohne Signatur senden: {\"event\", \"data\", \"timestamp\"}.";
    dispatch_enabled: "Accept dispatches", "Dispatches annehmen";
    dispatch_open: "Open to this machine without a token", "Für diesen Rechner ohne Token offen";
    dispatch_open_hint: "Any program on this machine can send, and anyone who reaches the relay can listen on /. Only for trying out.", "Jedes Programm auf diesem Rechner kann senden, und wer das Relay erreicht, kann auf / mithören. Nur zum Ausprobieren.";
    dispatch_url: "Address", "Adresse";
    dispatch_token: "Token", "Token";
    dispatch_no_token: "none made yet", "noch keines erzeugt";
    dispatch_new_token: "Make a new token", "Neues Token erzeugen";
    dispatch_token_made: "New dispatch token", "Neues Dispatch-Token";
    dispatch_token_text: "Shown this once. The token before it has stopped working.", "Nur dieses eine Mal sichtbar. Das vorige Token gilt nicht mehr.";
    dispatch_php: "For WordPress", "Für WordPress";

    // Channels tab
    channels_lead: "Every channel that has subscribers or remembers messages.", "Jeder Kanal, der Abonnenten hat oder sich Nachrichten merkt.";
    channel: "Channel", "Kanal";
    subscribers: "Subscribers", "Abonnenten";
    remembered: "Remembered", "Gemerkt";
    members: "Present", "Anwesend";
    members_of: "Present in {channel}", "Anwesend in {channel}";
    no_channels: "No channel is open", "Kein Kanal ist offen";
    no_channels_text: "A channel appears when a browser subscribes to it or a message is published on it.", "Ein Kanal erscheint, wenn ein Browser ihn abonniert oder eine Nachricht auf ihm veröffentlicht wird.";
    truncated: "There are more than are shown here.", "Es gibt mehr, als hier gezeigt wird.";

    // Refusals tab
    refusals_lead: "What the relay refused, and why: the first place to look when something does not arrive.", "Was das Relay abgelehnt hat und warum: der erste Ort, wenn etwas nicht ankommt.";
    no_refusals: "Nothing was refused", "Nichts wurde abgelehnt";
    no_refusals_text: "Since the relay started, this site's requests were all accepted.", "Seit das Relay läuft, wurden alle Anfragen dieser Website angenommen.";

    // Settings tab
    general: "Name and address", "Name und Adresse";
    limits: "Limits", "Grenzen";
    limits_text: "Empty takes the relay's default, 0 means no limit.", "Leer nimmt die Vorgabe des Relays, 0 heißt ohne Grenze.";
    limit_connections: "Connections at once", "Verbindungen gleichzeitig";
    limit_rate: "Messages per second", "Nachrichten je Sekunde";
    limit_month: "Messages per month", "Nachrichten je Monat";
    limit_default: "default", "Vorgabe";
    not_a_number: "Type a whole number, or leave it empty.", "Gib eine ganze Zahl ein oder lass es leer.";
    origins: "Allowed origins", "Erlaubte Ursprünge";
    origins_text: "Which web pages may connect, one origin a line, such as https://shop.example. Empty lets any page with a valid token connect.", "Welche Webseiten sich verbinden dürfen, ein Ursprung je Zeile, etwa https://shop.example. Leer lässt jede Seite mit gültigem Token zu.";
    deactivate: "Switch the site off", "Website abschalten";
    deactivate_text: "WordPress and browsers are refused until it is switched on again. Nothing is lost.", "WordPress und Browser werden abgelehnt, bis sie wieder angeschaltet wird. Nichts geht verloren.";
    reactivate: "Switch the site on", "Website anschalten";
    archive: "Archive the site", "Website archivieren";
    archive_text: "Closes every connection at once, and its key stops working. It can be restored.", "Schließt sofort alle Verbindungen, und ihr Schlüssel gilt nicht mehr. Sie kann wiederhergestellt werden.";
    archive_confirm: "Type the site's name, “{name}”, to confirm", "Gib zur Bestätigung den Namen der Website ein: „{name}“";
    archive_done: "The site is archived", "Die Website ist archiviert";
    restore: "Restore the site", "Website wiederherstellen";
    restored: "The site is back", "Die Website ist zurück";
    danger: "Danger zone", "Gefahrenzone";

    // Connections
    connections_lead: "Every browser that is connected, as the relay sees it.", "Jeder verbundene Browser, wie das Relay ihn sieht.";
    connections_search: "Search user, address or channel", "Benutzer, Adresse oder Kanal suchen";
    connections_shown: "{shown} of {total}", "{shown} von {total}";
    no_connections: "Nobody is connected", "Niemand ist verbunden";
    no_connections_text: "A browser appears here the moment it opens a page of one of your sites.", "Ein Browser erscheint hier, sobald er eine Seite einer deiner Websites öffnet.";
    no_match: "No connection matches", "Keine Verbindung passt";
    user: "User", "Benutzer";
    visitor: "Visitor", "Besucher";
    user_n: "User {id}", "Benutzer {id}";
    transport: "Transport", "Transport";
    transport_raw: "Plain socket", "Einfacher Socket";
    address: "Address", "Adresse";
    age: "Connected", "Verbunden";
    bytes: "Received", "Empfangen";
    bytes_in: "Sent by it", "Von ihm gesendet";
    bytes_out: "Sent to it", "An ihn gesendet";
    lag: "Lag", "Rückstand";
    no_lag: "none", "keiner";
    lag_value: "{ms} ms, {bytes} waiting", "{ms} ms, {bytes} wartend";
    dropped: "Dropped", "Verworfen";
    token_expires: "Token expires", "Token läuft ab";
    channels: "Channels", "Kanäle";
    present_in: "Present in", "Anwesend in";
    connection: "Connection", "Verbindung";
    connection_id: "Id", "ID";
    shard: "Shard", "Shard";
    disconnect: "Disconnect", "Trennen";
    disconnected: "Disconnected. The browser may come back by itself.", "Getrennt. Der Browser kommt vielleicht von selbst zurück.";
    connection_gone: "This connection has ended.", "Diese Verbindung ist beendet.";
});
