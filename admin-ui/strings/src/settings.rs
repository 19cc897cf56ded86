//! Settings.

crate::texts!(Settings {
    lead: "Your account, who else may sign in, and how the relay runs.", "Dein Konto, wer sich sonst anmelden darf, und wie das Relay läuft.";
    tabs: "Parts of the settings", "Teile der Einstellungen";
    account: "Account", "Konto";
    users: "Users", "Benutzer";
    keys: "API keys", "API-Schlüssel";
    config: "Configuration", "Konfiguration";
    doctor: "Doctor", "Diagnose";
    audit: "Audit log", "Änderungsprotokoll";

    you: "You", "Du";
    email: "Email", "E-Mail";
    role: "Role", "Rolle";
    last_login: "Last sign-in", "Letzte Anmeldung";
    password: "Change password", "Passwort ändern";
    password_text: "Ends every other session of yours.", "Beendet alle deine anderen Sitzungen.";
    password_new: "New password", "Neues Passwort";
    password_changed: "Password changed; other sessions have ended", "Passwort geändert; andere Sitzungen sind beendet";
    sessions: "Sessions", "Sitzungen";
    sessions_text: "Where you are signed in.", "Wo du angemeldet bist.";
    session_this: "This one", "Diese hier";
    session_seen: "Last seen", "Zuletzt gesehen";
    session_from: "From", "Von";
    session_browser: "Browser", "Browser";
    session_end: "End", "Beenden";
    session_end_others: "End all others", "Alle anderen beenden";
    session_ended: "Session ended", "Sitzung beendet";
    appearance: "Appearance and language", "Darstellung und Sprache";

    users_text: "Owners change everything. Viewers see everything but secrets.", "Inhaber ändern alles. Betrachter sehen alles außer Geheimnissen.";
    owners_only: "Only an owner sees this.", "Das sieht nur ein Inhaber.";
    add_user: "Add user", "Benutzer hinzufügen";
    change_user: "Change {email}", "{email} ändern";
    new_password_optional: "New password (empty keeps the old one)", "Neues Passwort (leer behält das alte)";
    user_added: "{email} may sign in now", "{email} darf sich jetzt anmelden";
    remove_user: "Remove {email}?", "{email} entfernen?";
    remove_user_text: "They are signed out at once and can no longer sign in.", "Die Person wird sofort abgemeldet und kann sich nicht mehr anmelden.";
    user_removed: "User removed", "Benutzer entfernt";

    keys_text: "For scripts, and for the plugin's API key field. A key does only what its scopes allow.", "Für Skripte und für das Feld „API key“ des Plugins. Ein Schlüssel darf nur, was seine Rechte erlauben.";
    no_keys: "No API keys", "Keine API-Schlüssel";
    no_keys_text: "Make one to use the API from a script, or to register sites by hand.", "Erzeuge einen, um die API aus einem Skript zu nutzen oder Websites von Hand zu registrieren.";
    add_key: "New key", "Neuer Schlüssel";
    key_name_hint: "What uses it, such as “backup script”.", "Wofür er ist, etwa „Backup-Skript“.";
    key_scopes: "Scopes", "Rechte";
    scope_read: "Read everything a viewer sees", "Alles lesen, was ein Betrachter sieht";
    scope_register: "Register sites from WordPress by hand", "Websites von WordPress aus von Hand registrieren";
    scope_sites: "Add, change and archive sites", "Websites hinzufügen, ändern und archivieren";
    scope_secrets: "Show and rotate credentials, mint tokens", "Zugangsdaten zeigen und erneuern, Token ausstellen";
    scope_triggers: "Change triggers", "Auslöser ändern";
    scope_publish: "Publish, fire triggers", "Veröffentlichen, Auslöser auslösen";
    scope_operate: "Disconnect connections, show payloads, run the doctor", "Verbindungen trennen, Inhalte zeigen, Diagnose ausführen";
    key_expires: "Expires", "Läuft ab";
    key_30: "In 30 days", "In 30 Tagen";
    key_90: "In 90 days", "In 90 Tagen";
    key_365: "In a year", "In einem Jahr";
    key_used: "Last used", "Zuletzt benutzt";
    key_made: "Key made", "Schlüssel erzeugt";
    key_made_text: "Copy it now. It is never shown again.", "Kopiere ihn jetzt. Er wird nie wieder gezeigt.";
    key_made_by: "by {email}", "von {email}";
    revoke: "Revoke", "Widerrufen";
    revoke_title: "Revoke “{name}”?", "„{name}“ widerrufen?";
    revoke_text: "Whatever uses this key stops working at once.", "Was diesen Schlüssel benutzt, hört sofort auf zu funktionieren.";
    revoked: "Key revoked", "Schlüssel widerrufen";

    config_text: "The settings that are in effect, and where each comes from. They are changed in the configuration file or the environment, then hookcast is restarted.", "Die geltenden Einstellungen und woher jede kommt. Geändert werden sie in der Konfigurationsdatei oder der Umgebung, dann wird hookcast neu gestartet.";
    config_search: "Search settings", "Einstellungen suchen";
    config_setting: "Setting", "Einstellung";
    config_value: "Value", "Wert";
    config_source: "From", "Aus";
    config_changed_only: "Only those that were set", "Nur gesetzte";
    config_empty: "(empty)", "(leer)";

    doctor_text: "Checks the relay from inside and through its public address: driver, limits, clock, proxy, WebSocket, streams.", "Prüft das Relay von innen und über seine öffentliche Adresse: Treiber, Grenzen, Uhr, Proxy, WebSocket, Streams.";
    doctor_url: "Public address to check", "Öffentliche Adresse zum Prüfen";
    doctor_idle: "Hold a quiet socket open for over a minute too", "Auch einen stillen Socket über eine Minute offen halten";
    doctor_idle_hint: "Finds proxies that end idle connections. The check then takes over a minute.", "Findet Proxys, die stille Verbindungen beenden. Die Prüfung dauert dann über eine Minute.";
    doctor_run: "Run the checks", "Prüfungen ausführen";
    doctor_running: "Checking…", "Prüfe…";
    doctor_ok: "ok", "ok";
    doctor_warning: "warning", "Warnung";
    doctor_failed: "failed", "fehlgeschlagen";
    doctor_skipped: "skipped", "übersprungen";
    doctor_all_well: "Everything is as it should be.", "Alles ist, wie es sein soll.";
    doctor_some: "{failed} failed, {warnings} warnings", "{failed} fehlgeschlagen, {warnings} Warnungen";

    audit_text: "Every change: who, when, from where, what.", "Jede Änderung: wer, wann, von wo, was.";
    audit_who: "Who", "Wer";
    audit_what: "What", "Was";
    audit_more: "Show older entries", "Ältere Einträge zeigen";
    audit_empty: "No entries yet", "Noch keine Einträge";
    audit_empty_text: "The first change will be listed here.", "Die erste Änderung wird hier stehen.";
});
