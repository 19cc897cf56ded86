//! A site's channels and who is present in them. Not part of the stream: read again every few seconds while it is looked at.

use crate::api::ask;
use crate::browser::every;
use crate::format;
use crate::text::{fill, t};
use crate::ui::{Icon, Loaded, empty, json_block, load, modal, search};
use crate::view::prelude::*;
use hookcast_api::insight::{Channel, Channels};
use hookcast_api::routes::Op;
use hookcast_json::ToJson as _;
use std::time::Duration;

const READ_AGAIN: Duration = Duration::from_secs(3);

pub fn tab(key: StoredValue<String>) -> impl IntoView {
    let s = &t().sites;
    let channels = load(move || ask::<Channels>(Op::SiteChannels, &[&key.get_value()]));
    keep_with_owner(every(READ_AGAIN, move || channels.reload()));
    let wanted = RwSignal::new(String::new());
    let open = RwSignal::new(false);
    let chosen = RwSignal::new(String::new());
    let members = Signal::derive(move || {
        let name = chosen.get();
        channels.map(|all| {
            all.channels
                .iter()
                .find(|channel| channel.name == name)
                .map(|channel| channel.members.clone())
                .unwrap_or_default()
        })
    });
    view! {
        <p class="muted">{s.channels_lead}</p>
        <section class="card">
            <div class="card-head">{search(t().common.search, wanted)}</div>
            <div class="card-body flush">{channels.view(move |channels| table(channels, wanted, chosen, open))}</div>
        </section>
        {modal(open, Signal::derive(move || fill(s.members_of, &[("channel", &chosen.get())])), move || view! {
            <ul class="plain stack">
                {move || members.get().into_iter().map(|member| view! {
                    <li class="stack tight"><code>{member.id}</code>{json_block(s.members, Signal::stored(member.state))}</li>
                }).collect_view()}
            </ul>
        })}
    }
}

fn table(
    channels: Loaded<Channels>,
    wanted: RwSignal<String>,
    chosen: RwSignal<String>,
    open: RwSignal<bool>,
) -> impl IntoView {
    let s = &t().sites;
    let shown = memo(move || {
        let search = wanted.get().to_lowercase();
        channels.with(|channels| {
            channels
                .channels
                .iter()
                .filter(|channel| channel.name.to_lowercase().contains(&search))
                .cloned()
                .collect::<Vec<_>>()
        })
    });
    let row = move |channel: Channel| {
        let name = channel.name.clone();
        let count = format!(
            "{}{}",
            format::count(channel.members.len() as u64),
            if channel.members_truncated { "+" } else { "" }
        );
        view! {
            <tr>
                <td><span class="chip">{channel.name.clone()}</span></td>
                <td class="right num">{format::count(channel.subscribers.into())}</td>
                <td class="right num wide">{format::count(channel.remembered.into())}</td>
                <td class="right num">{match channel.members.is_empty() {
                    true => count.into_any(),
                    false => view! { <button class="link" type="button" on:click=move |_| { chosen.set(name.clone()); open.set(true); }>{count}</button> }.into_any(),
                }}</td>
            </tr>
        }
    };
    let none = memo(move || channels.with(|channels| channels.channels.is_empty()));
    move || {
        match none.get() {
        true => empty(Icon::Events, s.no_channels, s.no_channels_text, ()),
        false => view! {
            <table class="table">
                <thead><tr>
                    <th scope="col">{s.channel}</th><th scope="col" class="right">{s.subscribers}</th>
                    <th scope="col" class="right wide">{s.remembered}</th><th scope="col" class="right">{s.members}</th>
                </tr></thead>
                <tbody>{each(move || shown.get(), |channel| channel.to_json().to_text(), row)}</tbody>
            </table>
            {move || channels.with(|channels| channels.truncated).then(|| view! { <p class="card-foot">{s.truncated}</p> })}
        }
        .into_any(),
    }
    }
}
