//! The doctor: what is well, what is not, what to do.

use crate::api::send;
use crate::app::app;
use crate::text::{fill, t};
use crate::ui::{Submit, TextField, Tone, card, check, moment, note, status_pill, viewers_only_look};
use crate::view::prelude::*;
use hookcast_api::routes::Op;
use hookcast_api::tools::{Check, CheckStatus, DoctorReport, DoctorRequest};

pub fn tab() -> impl IntoView {
    let app = app();
    move || match app.is_owner() {
        true => checks().into_any(),
        false => viewers_only_look(),
    }
}

fn checks() -> impl IntoView {
    let app = app();
    let s = &t().settings;
    let url = RwSignal::new(app.public_url());
    let idle = RwSignal::new(false);
    let report = RwSignal::new(None::<DoctorReport>);
    let submit = Submit::new();
    let run = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let request = DoctorRequest {
            url: Some(url.get_untracked()).filter(|url| !url.trim().is_empty()),
            idle: idle.get_untracked(),
        };
        submit.run(send::<DoctorReport>(Op::Doctor, &[], &request), move |answer| {
            report.set(Some(answer))
        });
    };
    view! {
        {card(s.doctor, (), view! {
            <form class="form" on:submit=run>
                <p class="muted">{s.doctor_text}</p>
                {TextField::new(s.doctor_url, url).kind("url").error(submit.error("url")).view()}
                {check(s.doctor_idle, Some(s.doctor_idle_hint.to_owned()), idle)}
                {submit.note()}
                <div class="row"><span>{submit.button(s.doctor_run)}</span><span class="muted" role="status">{move || submit.busy.get().then_some(s.doctor_running)}</span></div>
            </form>
        })}
        <div role="status">{move || report.get().map(shown)}</div>
    }
}

fn shown(report: DoctorReport) -> impl IntoView {
    let s = &t().settings;
    let count = |status: CheckStatus| {
        report
            .checks
            .iter()
            .filter(|check| check.status == status)
            .count()
    };
    let (failed, warnings) = (count(CheckStatus::Failed), count(CheckStatus::Warning));
    let summary = match (failed, warnings) {
        (0, 0) => note(Tone::Ok, view! { <p class="strong">{s.doctor_all_well}</p> }),
        (failed, warnings) => {
            let text = fill(
                s.doctor_some,
                &[
                    ("failed", &failed.to_string()),
                    ("warnings", &warnings.to_string()),
                ],
            );
            note(
                if failed > 0 { Tone::Bad } else { Tone::Warn },
                view! { <p class="strong">{text}</p> },
            )
        }
    };
    let row = |check: Check| {
        let (tone, word) = match check.status {
            CheckStatus::Ok => (Tone::Ok, s.doctor_ok),
            CheckStatus::Warning => (Tone::Warn, s.doctor_warning),
            CheckStatus::Failed => (Tone::Bad, s.doctor_failed),
            CheckStatus::Skipped => (Tone::Plain, s.doctor_skipped),
        };
        view! {
            <tr>
                <td class="fit">{status_pill(word, tone)}</td>
                <td lang="en"><span class="mono strong">{check.id}</span><span class="cell-sub anywhere">{check.finding}</span>{check.remedy.map(|remedy| view! { <span class="small anywhere">{remedy}</span> })}</td>
            </tr>
        }
    };
    view! {
        <section class="card">
            <div class="card-body">{summary}</div>
            <table class="table">
                <thead class="sr"><tr><th scope="col">{t().common.status}</th><th scope="col">{t().common.details}</th></tr></thead>
                <tbody>{report.checks.clone().into_iter().map(row).collect_view()}</tbody>
            </table>
            <p class="card-foot">{moment(report.at)}</p>
        </section>
    }
}
