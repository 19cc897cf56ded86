//! What many pages say.

crate::texts!(Common {
    // Navigation
    overview: "Overview", "Übersicht";
    sites: "Sites", "Websites";
    triggers: "Triggers", "Auslöser";
    events: "Events", "Ereignisse";
    connections: "Connections", "Verbindungen";
    tokens: "Tokens", "Token";
    settings: "Settings", "Einstellungen";
    more: "More", "Mehr";
    navigation: "Main navigation", "Hauptnavigation";
    skip: "Skip to content", "Zum Inhalt springen";
    sign_out: "Sign out", "Abmelden";
    theme: "Appearance", "Darstellung";
    theme_system: "Like the system", "Wie das System";
    theme_light: "Light", "Hell";
    theme_dark: "Dark", "Dunkel";
    language: "Language", "Sprache";
    role_owner: "Owner", "Inhaber";
    role_viewer: "Viewer", "Betrachter";

    // The live stream
    live_on: "Live", "Live";
    live_opening: "Connecting…", "Verbinde…";
    live_lost: "Reconnecting…", "Verbinde neu…";
    lost_banner: "The connection to the relay is lost. What you see may be old; this page returns by itself.", "Die Verbindung zum Relay ist unterbrochen. Was hier steht, kann veraltet sein; die Seite kommt von selbst zurück.";
    outdated_banner: "The relay was updated while this page was open.", "Das Relay wurde aktualisiert, während diese Seite offen war.";
    reload_page: "Reload the page", "Seite neu laden";

    // Doing things
    save: "Save", "Speichern";
    saved: "Saved", "Gespeichert";
    cancel: "Cancel", "Abbrechen";
    close: "Close", "Schließen";
    dismiss: "Dismiss", "Ausblenden";
    add: "Add", "Hinzufügen";
    remove: "Remove", "Entfernen";
    edit: "Edit", "Bearbeiten";
    copy: "Copy", "Kopieren";
    copied: "Copied", "Kopiert";
    copy_failed: "The browser refused to copy. Select the text and copy it by hand.", "Der Browser hat das Kopieren verweigert. Markiere den Text und kopiere ihn von Hand.";
    show: "Show", "Anzeigen";
    hide: "Hide", "Verbergen";
    try_again: "Try again", "Erneut versuchen";
    search: "Search", "Suchen";
    your_password: "Your password", "Dein Passwort";
    details: "Details", "Details";
    all_sites: "All sites", "Alle Websites";
    site: "Site", "Website";
    yes: "Yes", "Ja";
    no: "No", "Nein";
    none: "None", "Keine";
    never: "Never", "Nie";
    actions: "Actions", "Aktionen";
    name: "Name", "Name";
    status: "Status", "Status";
    time: "Time", "Zeit";

    // Loading and failing
    loading: "Loading", "Lädt";
    could_not_load: "This could not be loaded", "Das konnte nicht geladen werden";
    unreachable: "The relay does not answer. Is it running, and is the network up?", "Das Relay antwortet nicht. Läuft es, und steht das Netz?";
    unreadable: "The answer (status {status}) was not the relay's. A proxy between here and the relay may have sent it.", "Die Antwort (Status {status}) kam nicht vom Relay. Vielleicht hat ein Proxy dazwischen sie geschickt.";
    not_found: "There is nothing here", "Hier ist nichts";
    not_found_text: "The address leads to no page of this relay.", "Die Adresse führt zu keiner Seite dieses Relays.";
    to_overview: "To the overview", "Zur Übersicht";
    viewer_note: "You are signed in as a viewer: you see everything but secrets, and change nothing.", "Du bist als Betrachter angemeldet: Du siehst alles außer Geheimnissen und änderst nichts.";
    invalid_credentials: "Email or password is wrong.", "E-Mail oder Passwort stimmt nicht.";
    wrong_password: "The password is wrong.", "Das Passwort stimmt nicht.";
    forbidden: "Your role does not allow this.", "Deine Rolle erlaubt das nicht.";
    rate_limited: "Too many attempts. Wait a little and try again.", "Zu viele Versuche. Warte etwas und versuche es noch einmal.";
    conflict: "Someone else changed this in the meantime. Reload it and try again.", "Jemand anderes hat das inzwischen geändert. Lade es neu und versuche es noch einmal.";
    unavailable: "The relay is busy or stopping. Try again in a moment.", "Das Relay ist beschäftigt oder fährt herunter. Versuche es gleich noch einmal.";
    unauthenticated: "Your session has ended. Sign in again.", "Deine Sitzung ist beendet. Melde dich wieder an.";

    // Times
    just_now: "just now", "gerade eben";
    ago: "{span} ago", "vor {span}";
    in_span: "in {span}", "in {span}";
});
