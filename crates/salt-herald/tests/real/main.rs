//! salt-herald beside real Salt masters: what people do, and what the channel and the journal say
//! of it. The proof; everything that can be had without a master is tested elsewhere.
//!
//! Needs the lab (`lab/lab.py install`); `./test` sees to that, `./test --quick` leaves these out.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod forgery;
mod herald;
mod identity;
mod lab;
mod masters;
mod outages;
mod reactor;
mod scenes;

use std::time::Duration;

use herald::Herald;
use lab::Lab;
use serde_json::json;

/// One site through everything that a person would do, in order.
fn whole_tour(series: &str, options: &[&str]) {
    let mut lab = Lab::up(series, options);
    let since = outages::jid_of_now();
    let mut herald = Herald::start(&lab);
    scenes::a_highstate_fails(&lab, &herald);
    scenes::a_test_run_keeps_its_secret(&lab, &herald);
    scenes::a_minion_that_is_not_there_is_missing(&lab, &herald);
    scenes::two_state_runs_meet(&lab, &herald);
    scenes::a_batch_is_one_run(&lab, &herald);
    scenes::an_orchestration_has_its_children(&lab, &herald);
    scenes::a_salt_call_is_seen_by_its_return(&lab, &herald);
    scenes::a_stopped_minion_never_answers(&mut lab, &herald);
    scenes::the_master_restarts(&mut lab, &herald);
    herald.names_the_jobs_of(&lab, &since);
    scenes::every_job_is_confirmed(&herald);
    scenes::a_preview_would_have_said_the_same(&herald);
    scenes::no_secret_is_anywhere(&herald);
    scenes::what_slipped_through_is_taken_out(&lab, &mut herald);
    herald.names_the_jobs_of(&lab, &since);
}

#[test]
fn real_master_3006_with_the_old_framing() {
    whole_tour("3006-old", &[]);
}

#[test]
fn real_master_3006() {
    whole_tour("3006", &[]);
}

#[test]
fn real_master_3007() {
    whole_tour("3007", &[]);
}

#[test]
fn real_master_3008() {
    whole_tour("3008", &[]);
}

/// Everything that can be away, for as long as it takes to matter; some minutes.
fn all_outages(series: &str) {
    if !outages::all_or_left_out() {
        return;
    }
    let mut lab = Lab::up(series, &outages::SCHEDULE);
    let since = outages::jid_of_now();
    let mut herald = Herald::start(&lab);
    let minute = Duration::from_secs(60);
    outages::the_master_restarts_in_a_highstate(&mut lab, &herald);
    outages::the_master_is_away(&mut lab, &herald, minute);
    outages::the_bus_is_another_socket(&mut lab, &herald);
    outages::the_master_freezes(&mut lab, &herald, minute / 3);
    outages::the_publisher_freezes(&mut lab, &herald, minute / 6);
    outages::the_daemon_is_stopped(&lab, &mut herald);
    outages::the_daemon_is_killed(&lab, &mut herald);
    outages::the_daemon_freezes(&lab, &herald, minute * 3 / 2);
    herald.names_the_jobs_of(&lab, &since);
}

/// By itself, because what the master writes late has to be asked for until it is there.
fn another_publisher(series: &str) {
    if !outages::all_or_left_out() {
        return;
    }
    let mut lab = Lab::up(series, &outages::SCHEDULE);
    let since = outages::jid_of_now();
    let herald = Herald::start(&lab);
    outages::the_publisher_is_another(&mut lab, &herald);
    herald.names_the_jobs_when_asked(&lab, &since);
}

#[test]
fn real_publisher_is_another_3006_with_the_old_framing() {
    another_publisher("3006-old");
}

#[test]
fn real_publisher_is_another_3006() {
    another_publisher("3006");
}

#[test]
fn real_publisher_is_another_3007() {
    another_publisher("3007");
}

#[test]
fn real_outages_3006_with_the_old_framing() {
    all_outages("3006-old");
}

#[test]
fn real_outages_3006() {
    all_outages("3006");
}

#[test]
fn real_outages_3007() {
    all_outages("3007");
}

#[test]
fn real_outages_3008() {
    all_outages("3008");
}

/// The two that everybody meets, on every change.
#[test]
fn real_outages_of_every_day() {
    let mut lab = Lab::up("3008", &[]);
    let since = outages::jid_of_now();
    let mut herald = Herald::start(&lab);
    outages::the_master_restarts_in_a_highstate(&mut lab, &herald);
    outages::the_daemon_is_stopped(&lab, &mut herald);
    herald.names_the_jobs_of(&lab, &since);
}

/// Long enough that it counts as frozen, so that the gap begins when it froze.
#[test]
fn real_master_that_cuts_off_who_does_not_read() {
    let lab = Lab::up("3006-old", &outages::CUTS_OFF);
    let since = outages::jid_of_now();
    let herald = Herald::start(&lab);
    outages::the_daemon_is_cut_off(&lab, &herald, Duration::from_secs(15));
    herald.names_the_jobs_of(&lab, &since);
}

#[test]
fn real_forgery_on_3006() {
    forgery::all_forms("3006", &["--minions", "2"]);
}

#[test]
fn real_forgery_on_3007() {
    forgery::all_forms("3007", &["--minions", "2"]);
}

#[test]
fn real_forgery_on_3008() {
    forgery::all_forms("3008", &["--minions", "2"]);
}

#[test]
fn real_identity_on_3006() {
    outages::all_or_left_out().then(|| identity::each_is_called_what_salt_calls_them("3006"));
}

#[test]
fn real_identity_on_3007() {
    outages::all_or_left_out().then(|| identity::each_is_called_what_salt_calls_them("3007"));
}

#[test]
fn real_identity_on_3008() {
    identity::each_is_called_what_salt_calls_them("3008");
}

#[test]
fn real_syndic_on_3008() {
    masters::below("3008");
}

#[test]
fn real_syndic_on_3007() {
    outages::all_or_left_out().then(|| masters::below("3007"));
}

#[test]
fn real_syndic_on_3006() {
    outages::all_or_left_out().then(|| masters::below("3006"));
}

#[test]
fn real_second_master_on_3008() {
    outages::all_or_left_out().then(|| masters::beside("3008"));
}

#[test]
fn real_master_with_its_bus_on_tcp() {
    let lab = Lab::up("3008", &["--ipc-mode", "tcp", "--minions", "2"]);
    let herald = Herald::start(&lab);
    lab.salt(&["*", "cmd.run", "echo hello"]);
    let told = json!({"status": "succeeded", "minions": {"returned": 2}});
    herald.run_told("the command", |run| run["fun"][0] == "cmd.run", &told);
}

#[test]
fn real_reactor_3006_with_the_old_framing() {
    reactor::announces("3006-old");
}

#[test]
fn real_reactor_3006() {
    reactor::announces("3006");
}

#[test]
fn real_reactor_3007() {
    reactor::announces("3007");
}

#[test]
fn real_reactor_3008() {
    reactor::announces("3008");
}

/// Whether a line of `log --json` is of a run that is over.
fn ended(run: &serde_json::Value) -> bool {
    run["status"] != "running"
}
