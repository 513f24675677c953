//! Ten thousand minions in one highstate: a calm channel, and a right end.

use std::time::Instant;

use crate::app::App;
use crate::events::{bad, good, highstate, jid};
use crate::journal::count;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_is_few_edits_and_a_small_message() {
    let mut app = App::started().await;
    let names: Vec<String> = (0..10_000).map(|n| format!("web{n:05}.example.org")).collect();
    let begun = Instant::now();
    app.bus.send([highstate(&jid(1), &names)]);
    app.only_message_says("0 of 10000 returned").await;
    app.bus.send(names.iter().enumerate().map(|(n, name)| match n % 100 {
        0 => bad(&jid(1), name, "unknown directive"),
        1..10 => good(&jid(1), name, true),
        _ => good(&jid(1), name, false),
    }));
    let channel = app.said("the thread", |channel| channel.messages.len() == 2).await;
    let took = begun.elapsed().as_secs();
    app.stop().await;
    let root = channel.roots().next().unwrap();
    let shown = root.content.shown();
    for part in ["100 failed (", "and 97 more", "900 changed", "9000 unchanged"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert!(shown.len() < 500, "{shown}");
    let edits = root.edits.len() as u64;
    assert!(edits <= took / 3 + 2, "{edits} edits in {took} s");
    let reply = &channel.replies(&root.ts).next().unwrap().content.shown();
    assert!(reply.contains("100") || reply.contains("and 97 more"), "{reply}");
    assert_eq!(count(&app.journal(), "return"), 10_000);
}
