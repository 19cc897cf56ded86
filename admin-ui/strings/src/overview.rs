//! The overview.

crate::texts!(Overview {
    lead: "What the relay is doing right now.", "Was das Relay gerade tut.";
    attention: "Needs attention", "Braucht Aufmerksamkeit";
    all_well: "Nothing needs attention.", "Nichts braucht Aufmerksamkeit.";
    remedy: "What to do:", "Was zu tun ist:";
    certificate_missing: "No TLS certificate", "Kein TLS-Zertifikat";
    certificate_expired: "TLS certificate expired", "TLS-Zertifikat abgelaufen";
    certificate_ends_soon: "TLS certificate about to end", "TLS-Zertifikat läuft bald ab";
    certificate_renewal_fails: "TLS certificate not renewed", "TLS-Zertifikat nicht erneuert";
    certificate_not_yet_valid: "TLS certificate not valid yet", "TLS-Zertifikat noch nicht gültig";
    see_site: "Open the site", "Website öffnen";
    severity_info: "Notice", "Hinweis";
    severity_warning: "Warning", "Warnung";
    severity_critical: "Critical", "Kritisch";
    connections: "Connections", "Verbindungen";
    websocket: "WebSocket", "WebSocket";
    streams: "SSE", "SSE";
    messages_in: "Messages in", "Nachrichten herein";
    deliveries_out: "Deliveries out", "Zustellungen hinaus";
    per_second: "/s", "/s";
    total: "{n} since the start", "{n} seit dem Start";
    latency: "Delivery latency", "Zustelldauer";
    p50: "p50", "p50";
    p99: "p99", "p99";
    no_deliveries: "no deliveries now", "gerade keine Zustellungen";
    problems: "Drops and refusals", "Verworfen und abgelehnt";
    drops: "drops", "verworfen";
    refusals: "refusals", "abgelehnt";
    traffic: "Traffic", "Datenverkehr";
    bytes_in: "in", "herein";
    bytes_out: "out", "hinaus";
    last_minutes: "last five minutes", "letzte fünf Minuten";
    chart_summary: "{name} now {latest}, highest {highest}", "{name} jetzt {latest}, höchstens {highest}";
    relay: "Relay", "Relay";
    version: "Version", "Version";
    uptime: "Running for", "Läuft seit";
    driver: "Driver", "Treiber";
    shards: "Shards", "Shards";
    shards_hint: "One per core. Connections are spread by the kernel; even rows are a good sign.", "Einer je Kern. Der Kernel verteilt die Verbindungen; gleichmäßige Zeilen sind ein gutes Zeichen.";
    shard: "Shard", "Shard";
    channels: "Channels", "Kanäle";
    queued: "Queued", "Wartend";
    busiest: "Busiest sites", "Aktivste Websites";
    no_traffic: "No site has had traffic since the relay started.", "Keine Website hatte Verkehr, seit das Relay läuft.";
    recent_refusals: "Recent refusals", "Letzte Ablehnungen";
    no_refusals: "Nothing was refused since the relay started.", "Seit das Relay läuft, wurde nichts abgelehnt.";
    unknown_site: "unknown site", "unbekannte Website";
    first_title: "No site yet", "Noch keine Website";
    first_text: "Add your WordPress site and see its first event here in a few minutes.", "Füge deine WordPress-Website hinzu und sieh ihr erstes Ereignis hier in wenigen Minuten.";
    first_button: "Start the guide", "Anleitung starten";
    refusal_surface: "What", "Was";
    refusal_why: "Why", "Warum";
    refusal_from: "From", "Von";
});

impl Overview {
    /// What something that needs attention is about, by its code; the relay says the rest in English.
    pub fn about(&self, code: &str) -> Option<&'static str> {
        match code {
            "certificate_missing" => Some(self.certificate_missing),
            "certificate_expired" => Some(self.certificate_expired),
            "certificate_ends_soon" => Some(self.certificate_ends_soon),
            "certificate_renewal_fails" => Some(self.certificate_renewal_fails),
            "certificate_not_yet_valid" => Some(self.certificate_not_yet_valid),
            _ => None,
        }
    }
}
