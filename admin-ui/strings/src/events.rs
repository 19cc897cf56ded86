//! The event log and the publish form.

crate::texts!(Events {
    lead: "Every message that passes through the relay, as it happens.", "Jede Nachricht, die durch das Relay geht, in dem Moment.";
    filter: "Filter channel, event or text", "Kanal, Ereignis oder Text filtern";
    pause: "Pause", "Anhalten";
    resume: "Resume", "Fortsetzen";
    clear: "Clear", "Leeren";
    publish: "Publish", "Veröffentlichen";
    waiting: "Waiting for events", "Warte auf Ereignisse";
    waiting_text: "A message appears here the moment WordPress, a browser or a trigger publishes it.", "Eine Nachricht erscheint hier, sobald WordPress, ein Browser oder ein Auslöser sie veröffentlicht.";
    none_match: "No event matches the filter", "Kein Ereignis passt zum Filter";
    none_match_text: "{n} events are here; change the filter to see them.", "{n} Ereignisse sind da; ändere den Filter, um sie zu sehen.";
    new_ones: "{n} new events", "{n} neue Ereignisse";
    missed: "{n} events were too many to show; they are counted, not lost to the browsers.", "{n} Ereignisse waren zu viele zum Anzeigen; sie sind gezählt und bei den Browsern angekommen.";
    log: "Event log", "Ereignisprotokoll";
    shown: "{shown} of {all} events", "{shown} von {all} Ereignissen";
    at: "Time", "Zeit";
    channel: "Channel", "Kanal";
    event: "Event", "Ereignis";
    size: "Size", "Größe";
    recipients: "Recipients", "Empfänger";
    recipients_short: "to {n}", "an {n}";
    took: "Last write", "Letzte Zustellung";
    took_hint: "From the publish to the last browser's socket.", "Von der Veröffentlichung bis zum Socket des letzten Browsers.";
    on_its_way: "on its way", "unterwegs";
    nobody: "nobody listened", "niemand hörte zu";
    origin: "From", "Von";
    origin_word_press: "WordPress", "WordPress";
    origin_browser: "Browser", "Browser";
    origin_trigger: "Trigger", "Auslöser";
    origin_dispatch: "Dispatch", "Dispatch";
    origin_operator: "Operator", "Bediener";
    binary: "binary", "binär";
    encrypted: "encrypted", "verschlüsselt";
    sequence: "Number", "Nummer";
    payload: "Payload", "Inhalt";
    payload_off: "Payloads are not kept. Turn on “show payloads” for this site to see those of the next minutes; they stay in memory and are never written to disk.", "Inhalte werden nicht aufbewahrt. Schalte „Inhalte zeigen“ für diese Website ein, um die der nächsten Minuten zu sehen; sie bleiben im Speicher und kommen nie auf die Platte.";
    show_payloads: "Show payloads", "Inhalte zeigen";
    payloads_until: "until {time}", "bis {time}";
    payloads_pick: "Choose a site to show its payloads.", "Wähle eine Website, um ihre Inhalte zu zeigen.";
    earlier_run: "before the relay restarted", "vor dem Neustart des Relays";

    // Publish
    publish_title: "Publish a message", "Nachricht veröffentlichen";
    publish_channel_hint: "Such as events, shop or chat:room-1", "Etwa events, shop oder chat:room-1";
    publish_data: "Data (JSON)", "Daten (JSON)";
    publish_data_hint: "Delivered to the browsers as it is. Empty is null.", "Kommt bei den Browsern so an. Leer ist null.";
    json_wrong: "Line {line}, column {column}: {why}", "Zeile {line}, Spalte {column}: {why}";
    json_right: "Valid JSON", "Gültiges JSON";
    published: "Published on {channel}", "Auf {channel} veröffentlicht";
    publish_needs_site: "Add a site first: a message belongs to one.", "Füge zuerst eine Website hinzu: Jede Nachricht gehört zu einer.";
});
