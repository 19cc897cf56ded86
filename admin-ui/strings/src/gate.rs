//! Getting in: set-up, log-in, the guide to the first event, one-click connect.

crate::texts!(Gate {
    setup_title: "Welcome to hookcast", "Willkommen bei hookcast";
    setup_lead: "Create the first owner. You sign in with it from now on.", "Lege den ersten Inhaber an. Damit meldest du dich ab jetzt an.";
    setup_button: "Create owner", "Inhaber anlegen";
    setup_no_token: "This link is not complete", "Dieser Link ist nicht vollständig";
    setup_no_token_text: "The relay printed a one-time link when it started. Open it as it stands there, with everything after the question mark.", "Das Relay hat beim Start einen einmaligen Link ausgegeben. Öffne ihn so, wie er dort steht, mit allem nach dem Fragezeichen.";
    setup_done: "This relay is set up already", "Dieses Relay ist schon eingerichtet";
    setup_done_text: "The one-time link has been used. Sign in with the owner's email and password.", "Der einmalige Link wurde benutzt. Melde dich mit E-Mail und Passwort des Inhabers an.";
    setup_needed: "This relay is not set up yet", "Dieses Relay ist noch nicht eingerichtet";
    setup_needed_text: "Look at the terminal or log where hookcast started: it printed a one-time link that creates the first owner. A restart prints a new one. On the server, this works too:", "Sieh ins Terminal oder Log, wo hookcast gestartet ist: Dort steht ein einmaliger Link, der den ersten Inhaber anlegt. Ein Neustart gibt einen neuen aus. Auf dem Server geht auch:";
    setup_command: "Command that creates an owner", "Befehl, der einen Inhaber anlegt";
    email: "Email", "E-Mail";
    password: "Password", "Passwort";
    password_new_hint: "At least 10 characters. A few random words are easy to remember and hard to guess.", "Mindestens 10 Zeichen. Ein paar zufällige Wörter sind leicht zu merken und schwer zu erraten.";
    password_again: "Password once more", "Passwort noch einmal";
    password_differs: "The two passwords differ.", "Die beiden Passwörter sind verschieden.";
    login_title: "Sign in to hookcast", "Bei hookcast anmelden";
    login_button: "Sign in", "Anmelden";
    start_failed: "The web app could not be loaded. Reload the page; if that does not help, this browser is too old for WebAssembly.", "Die Web-App konnte nicht geladen werden. Lade die Seite neu; hilft das nicht, ist dieser Browser zu alt für WebAssembly.";
    login_forgotten: "Password forgotten? On the server, this sets a new one:", "Passwort vergessen? Auf dem Server setzt das ein neues:";
    to_login: "To the sign-in", "Zur Anmeldung";

    // The guide
    guide_title: "Your first event", "Dein erstes Ereignis";
    guide_lead: "Three steps. The check marks turn green by themselves, as it happens.", "Drei Schritte. Die Häkchen werden von selbst grün, sobald es geschieht.";
    guide_site: "Add your WordPress site", "Füge deine WordPress-Website hinzu";
    guide_site_text: "The address that people type to visit it.", "Die Adresse, unter der man sie besucht.";
    guide_site_done: "{name} is registered.", "{name} ist registriert.";
    guide_paste: "Tell WordPress where the relay is", "Sag WordPress, wo das Relay ist";
    guide_paste_text: "Install the WordSocket plugin from WordPress.org, paste this into wp-config.php above the line “That's all, stop editing!”, then press Connect on the plugin's settings page.", "Installiere das Plugin WordSocket von WordPress.org, füge dies in die wp-config.php über der Zeile „That's all, stop editing!“ ein und drücke dann auf der Einstellungsseite des Plugins auf Connect.";
    guide_wait_publish: "Waiting for the first publish from WordPress…", "Warte auf das erste Ereignis von WordPress…";
    guide_publish_done: "WordPress has published.", "WordPress hat veröffentlicht.";
    guide_browser: "Open a page of the site", "Öffne eine Seite der Website";
    guide_browser_text: "Any page that listens: a visitor's browser connects by itself.", "Irgendeine Seite, die zuhört: Der Browser des Besuchers verbindet sich von selbst.";
    guide_wait_browser: "Waiting for the first browser…", "Warte auf den ersten Browser…";
    guide_browser_done: "A browser is connected.", "Ein Browser ist verbunden.";
    guide_try: "No WordPress at hand? Send a test message, and watch it pass in the event log.", "Kein WordPress zur Hand? Sende eine Testnachricht und sieh sie im Ereignisprotokoll vorbeikommen.";
    guide_try_button: "Send a test message", "Testnachricht senden";
    guide_try_sent: "Sent on the channel “events”. Watch it in the event log.", "Auf dem Kanal „events“ gesendet. Sieh es im Ereignisprotokoll.";
    guide_all_done: "It works. Events flow from WordPress to browsers.", "Es läuft. Ereignisse fließen von WordPress zu den Browsern.";
    guide_to_events: "Watch the events", "Ereignisse ansehen";
    guide_later: "I'll do this later", "Das mache ich später";
    guide_open: "Guide to the first event", "Anleitung zum ersten Ereignis";
    step_done: "Done", "Erledigt";
    step_open: "Not yet", "Noch nicht";
    wp_config_label: "Lines for wp-config.php", "Zeilen für die wp-config.php";

    // Connect
    connect_title: "Connect a site", "Website verbinden";
    connect_asks: "asks to use this relay", "möchte dieses Relay benutzen";
    connect_signed_in: "Signed in as {email}", "Angemeldet als {email}";
    connect_other: "Not you?", "Nicht du?";
    connect_grants: "If you authorize it, the site may publish messages through this relay and let its visitors receive them. It gets credentials of its own and nothing else.", "Wenn du zustimmst, darf die Website Nachrichten über dieses Relay veröffentlichen und ihre Besucher sie empfangen lassen. Sie bekommt eigene Zugangsdaten und sonst nichts.";
    connect_returns: "The answer goes to", "Die Antwort geht an";
    connect_registered: "This site is registered already. Authorizing gives it new secrets; the ones it has now stop working.", "Diese Website ist schon registriert. Mit der Zustimmung bekommt sie neue Geheimnisse; die jetzigen gelten dann nicht mehr.";
    connect_insecure: "The site is reached over plain http: someone on the way could read the one-time code.", "Die Website wird über unverschlüsseltes http erreicht: Jemand auf dem Weg könnte den einmaligen Code lesen.";
    connect_viewer: "You are signed in as a viewer. Only an owner can authorize a site.", "Du bist als Betrachter angemeldet. Nur ein Inhaber kann eine Website zulassen.";
    connect_authorize: "Authorize", "Zulassen";
    connect_refused: "This request cannot be answered", "Diese Anfrage kann nicht beantwortet werden";
    connect_refused_hint: "Go back to WordPress and start again from the plugin's settings page. Nothing has been changed here.", "Geh zurück zu WordPress und fange auf der Einstellungsseite des Plugins noch einmal an. Hier wurde nichts geändert.";
    connect_returning: "Returning to WordPress…", "Zurück zu WordPress…";
});
