//! Checkpoints as the daemon makes them: at its first start, and at once when the key is another or the
//! journal was put back.

use herald_core::verify::Witness;
use salt_herald::seal::SealKey;
use salt_herald::store::{Manner, verify};

use crate::app::App;
use crate::journal::{open, verify_chain};

/// What each checkpoint was made for.
fn occasions(app: &App) -> Vec<String> {
    let connection = open(&app.journal());
    let mut select = connection.prepare("SELECT occasion FROM seal ORDER BY entry").unwrap();
    select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

async fn until_sealed(app: &App, count: usize) {
    app.until("a checkpoint", |_| (occasions(app).len() == count).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_journal_is_signed_for_and_whatever_happens_to_the_key_is_in_it() {
    let mut app = App::started().await;
    until_sealed(&app, 1).await;
    app.stop().await;
    let backup = app.folder.path().join("backup.db");
    app.reader().back_up(&backup, true, &mut |_| {}).unwrap();
    // At a restart within the hour none is due.
    app.start().await;
    app.stop().await;
    assert_eq!(occasions(&app), ["first"]);
    let line = app.reader().last_seal().unwrap().unwrap();

    std::fs::remove_file(SealKey::place(&app.journal())).unwrap();
    app.start().await;
    until_sealed(&app, 2).await;
    app.stop().await;
    assert_eq!(occasions(&app), ["first", "new key"]);
    let keys = app.reader().seal_keys().unwrap();
    let witness =
        Witness { keys: keys.iter().map(|(key, _)| *key).collect(), kept: vec![Ok(line)] };
    let report =
        verify(&app.journal(), Manner { threads: 1, chain_only: false }, &witness).unwrap();
    assert!(report.is_whole(), "{:#?}", report.findings);
    assert_eq!((report.seals.agreeing, report.seals.count), (1, 2));

    std::fs::copy(&backup, app.journal()).unwrap();
    app.start().await;
    until_sealed(&app, 2).await;
    app.stop().await;
    assert_eq!(occasions(&app), ["first", "put back"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_others_can_read_is_not_used_and_all_else_goes_on() {
    use std::os::unix::fs::PermissionsExt;
    let mut app = App::started().await;
    until_sealed(&app, 1).await;
    app.stop().await;
    let key = SealKey::place(&app.journal());
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    app.start().await;
    app.until("it records", |journal| (journal.last_entry().unwrap() > 3).then_some(())).await;
    app.stop().await;
    assert_eq!(occasions(&app), ["first"]);
    verify_chain(&app.journal());
}
