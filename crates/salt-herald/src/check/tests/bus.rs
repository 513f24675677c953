//! The bus and the unit that fits it: every case with its exact text.

use super::super::{Account, BusFact, ConnectFact, Facts, SocketFact};
use super::super::{decide, exit_code, render};
use super::{SINK, at_socket, fine, loaded, owner, socket, with_bus, wrong};

#[test]
fn everything_is_fine() {
    let report = decide(&loaded(SINK), Some(&fine()));
    insta::assert_snapshot!(render(&report), @r#"
    ✓ config: read /etc/salt/herald
    ✓ master: config read from /etc/salt/master and 1 included
    ✓ bus: the event bus answers at /var/run/salt/master/master_event_pub.ipc
    ✓ job cache: /var/cache/salt/master/jobs can be read
    ✓ journal: /var/lib/salt-herald/journal.db can be written
    ✓ slack: announces to ops
    ✓ unit: salt-herald.service fits: the group salt may read the bus (Salt 3007 or 3008)

    Everything is fine.
    "#);
    assert_eq!(exit_code(&report), 0);
}

#[test]
fn no_salt_on_this_machine() {
    let facts = Facts { config_dir_exists: false, ..with_bus(at_socket(SocketFact::Absent)) };
    insta::assert_snapshot!(wrong(&facts), @r#"
    ✗ master: no Salt master on this machine: neither /nowhere/salt nor /var/run/salt/master/master_event_pub.ipc exists
        salt-herald runs beside a Salt master; if its config is elsewhere, set salt.config_dir

    1 error.
    "#);
    assert_eq!(exit_code(&decide(&loaded(SINK), Some(&facts))), 1);
}

#[test]
fn the_master_is_not_running() {
    insta::assert_snapshot!(wrong(&with_bus(at_socket(SocketFact::Absent))), @r#"
    ✗ bus: the master is not running: /var/run/salt/master/master_event_pub.ipc does not exist
        start it: systemctl start salt-master; if it does run, its sockets are elsewhere: set salt.sock_dir, or salt.config_dir if its config is not in /etc/salt

    1 error.
    "#);
    let refused = socket(owner("salt", "salt", 0o660), ConnectFact::Refused);
    insta::assert_snapshot!(wrong(&with_bus(refused)), @r#"
    ✗ bus: the master is not running: nobody listens at /var/run/salt/master/master_event_pub.ipc
        start it: systemctl start salt-master
    ✓ unit: salt-herald.service fits: the group salt may read the bus (Salt 3007 or 3008)

    1 error.
    "#);
}

#[test]
fn a_bus_on_tcp() {
    let bus = |connect| BusFact::Tcp { address: "127.0.0.1:4512".parse().unwrap(), connect };
    insta::assert_snapshot!(wrong(&with_bus(bus(ConnectFact::Accepted))), @r#"
    ✓ unit: salt-herald.service fits: every user of this machine may read a bus of ipc_mode tcp

    Everything is fine.
    "#);
    insta::assert_snapshot!(wrong(&with_bus(bus(ConnectFact::Refused))), @r#"
    ✗ bus: the master is not running: nobody listens at 127.0.0.1:4512
        start it: systemctl start salt-master
    ✓ unit: salt-herald.service fits: every user of this machine may read a bus of ipc_mode tcp

    1 error.
    "#);
    insta::assert_snapshot!(wrong(&with_bus(bus(ConnectFact::Failed("timed out".to_owned())))), @r#"
    ✗ bus: can't connect to the event bus at 127.0.0.1:4512: timed out
    ✓ unit: salt-herald.service fits: every user of this machine may read a bus of ipc_mode tcp

    1 error.
    "#);
}

#[test]
fn no_permission_on_3006() {
    let root = socket(owner("root", "root", 0o600), ConnectFact::Denied);
    insta::assert_snapshot!(wrong(&with_bus(root)), @r#"
    ✗ bus: alice may not read the event bus /var/run/salt/master/master_event_pub.ipc (mode 0600, root:root)
        its owner alone may, as Salt 3006 has it: run salt-herald as root; salt-herald-root.service does
    ✓ unit: salt-herald-root.service fits: only root may read the bus (Salt 3006)

    1 error.
    "#);
    let salt = socket(owner("salt", "salt", 0o600), ConnectFact::Denied);
    insta::assert_snapshot!(wrong(&with_bus(salt)), @r#"
    ✗ bus: alice may not read the event bus /var/run/salt/master/master_event_pub.ipc (mode 0600, salt:salt)
        its owner alone may, as Salt 3006 has it: run salt-herald as root or salt; salt-herald-root.service does
    ✓ unit: salt-herald-root.service fits: only salt may read the bus (Salt 3006)
        or salt-herald.service without root: systemctl edit salt-herald, and under [Service] User=salt

    1 error.
    "#);
}

#[test]
fn no_permission_on_3007() {
    let bus = socket(owner("salt", "salt", 0o660), ConnectFact::Denied);
    insta::assert_snapshot!(wrong(&with_bus(bus)), @r#"
    ✗ bus: alice may not read the event bus /var/run/salt/master/master_event_pub.ipc (mode 0660, salt:salt)
        the group salt may, as Salt 3007 and 3008 have it: usermod -a -G salt alice, then log in again
    ✓ unit: salt-herald.service fits: the group salt may read the bus (Salt 3007 or 3008)

    1 error.
    "#);
}

/// Nobody is put into root's group for a bus, and no unit's user either.
#[test]
fn no_permission_where_roots_group_has_the_bus() {
    let bus = socket(owner("root", "root", 0o660), ConnectFact::Denied);
    insta::assert_snapshot!(wrong(&with_bus(bus)), @r#"
    ✗ bus: alice may not read the event bus /var/run/salt/master/master_event_pub.ipc (mode 0660, root:root)
        the group root may, which nobody is put into: run salt-herald as root; salt-herald-root.service does
    ✓ unit: salt-herald-root.service fits: only root and the group root may read the bus

    1 error.
    "#);
    let bus = at_socket(SocketFact::Blocked {
        dir: "/var/run/salt/master".into(),
        owner: owner("root", "root", 0o750),
    });
    insta::assert_snapshot!(wrong(&with_bus(bus)), @r#"
    ✗ bus: alice may not look into /var/run/salt/master (mode 0750, root:root), where the event bus is
        run this as root

    1 error.
    "#);
}

#[test]
fn no_permission_on_the_directory() {
    let bus = at_socket(SocketFact::Blocked {
        dir: "/var/run/salt/master".into(),
        owner: owner("salt", "salt", 0o750),
    });
    insta::assert_snapshot!(wrong(&with_bus(bus)), @r#"
    ✗ bus: alice may not look into /var/run/salt/master (mode 0750, salt:salt), where the event bus is
        run this as root, or as a user of the group salt

    1 error.
    "#);
}

#[test]
fn odd_buses() {
    insta::assert_snapshot!(wrong(&with_bus(at_socket(SocketFact::NotASocket))), @r#"
    ✗ bus: /var/run/salt/master/master_event_pub.ipc is no socket
        point salt.sock_dir to the directory in which the master has its sockets

    1 error.
    "#);
    let busy = socket(owner("salt", "salt", 0o660), ConnectFact::Busy);
    insta::assert_snapshot!(wrong(&with_bus(busy)), @r#"
    ! bus: the event bus at /var/run/salt/master/master_event_pub.ipc has too many callers waiting
        the master is overloaded or hangs: look into its log
    ✓ unit: salt-herald.service fits: the group salt may read the bus (Salt 3007 or 3008)

    1 warning, nothing that keeps salt-herald from running.
    "#);
    let open = socket(owner("salt", "salt", 0o666), ConnectFact::Accepted);
    insta::assert_snapshot!(wrong(&with_bus(open)), @r#"
    ✓ unit: salt-herald.service fits: every user may read the bus

    Everything is fine.
    "#);
}

#[test]
fn the_services_user_is_missing_or_not_in_the_group() {
    let facts = Facts { service_account: None, ..fine() };
    insta::assert_snapshot!(wrong(&facts), @r#"
    ! unit: salt-herald.service fits: the group salt may read the bus (Salt 3007 or 3008), but there is no user salt-herald yet
        useradd --system --no-create-home --groups salt salt-herald

    1 warning, nothing that keeps salt-herald from running.
    "#);
    let groups = vec!["salt-herald".to_owned()];
    let facts = Facts { service_account: Some(Account { groups }), ..fine() };
    insta::assert_snapshot!(wrong(&facts), @r#"
    ! unit: salt-herald.service fits: the group salt may read the bus (Salt 3007 or 3008), but the user salt-herald is not in it
        usermod -a -G salt salt-herald, then systemctl restart salt-herald

    1 warning, nothing that keeps salt-herald from running.
    "#);
}
