//! The key's file, and signatures.

use std::fs;

use herald_core::digest::Digest;
use jiff::Timestamp;

use super::*;

fn checkpoint() -> Checkpoint {
    Checkpoint::new([1; 16], 7, Digest::of(b"x"), Timestamp::UNIX_EPOCH)
}

#[test]
fn a_key_is_made_once_and_nobody_else_can_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal.db");
    let made = SealKey::of_journal(&journal).unwrap();
    let path = SealKey::place(&journal);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let again = SealKey::of_journal(&journal).unwrap();
    assert_eq!(made.public(), again.public());
    assert_eq!(made.sign(checkpoint()), again.sign(checkpoint()));
    assert!(!format!("{made:?}").contains(fs::read_to_string(&path).unwrap().trim()));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn one_that_is_open_or_none_is_refused_and_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal.db");
    let path = SealKey::place(&journal);
    SealKey::of_journal(&journal).unwrap();
    let key = fs::read(&path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(SealKey::of_journal(&journal), Err(SealError::Open { mode: 0o640, .. })));
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    for odd in [&key[..key.len() / 2], b"", b"hello", &[0xff; 40]] {
        fs::write(&path, odd).unwrap();
        let error = SealKey::of_journal(&journal).unwrap_err();
        assert!(matches!(error, SealError::NoKey { .. } | SealError::File { .. }), "{error}");
        assert_eq!(fs::read(&path).unwrap(), odd);
    }
}

#[test]
fn a_signature_holds_for_what_was_signed_with_that_key_only() {
    let folder = tempfile::tempdir().unwrap();
    let key = SealKey::of_journal(&folder.path().join("a")).unwrap();
    let other = SealKey::of_journal(&folder.path().join("b")).unwrap();
    let signed = key.sign(checkpoint());
    assert!(is_signed(&signed, key.public()));
    assert!(!is_signed(&signed, other.public()));
    assert!(!is_signed(&signed, PublicKey([0; 32])));
    let moved = Checkpoint { number: 8, ..checkpoint() };
    assert!(!is_signed(&Signed { checkpoint: moved, ..signed }, key.public()));
}

#[test]
fn what_is_no_file_is_not_waited_for_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal.db");
    let path = SealKey::place(&journal);
    fs::create_dir(&path).unwrap();
    let of_folder = SealKey::of_journal(&journal).unwrap_err();
    fs::remove_dir(&path).unwrap();
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, mode).unwrap();
    let of_pipe = SealKey::of_journal(&journal).unwrap_err();
    for error in [of_folder, of_pipe] {
        let SealError::File { source, .. } = &error else { panic!("{error}") };
        assert_eq!(source.to_string(), "it is there and is no regular file");
        assert!(error.to_string().contains("journal.db.seal"), "{error}");
    }
    // Nor is one that stands where half a key would.
    fs::remove_file(&path).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, folder.path().join("journal.db.seal.part"), mode)
        .unwrap();
    assert!(matches!(SealKey::of_journal(&journal), Err(SealError::File { .. })));
}
