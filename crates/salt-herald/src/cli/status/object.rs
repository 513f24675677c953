//! How all is, for scripts: the names are stable.

use herald_core::minions::Minions;
use serde_json::{Value, json};

use super::super::{extent, record, show};
use super::Status;
use crate::store::NotTold;

pub(super) fn object(status: &Status, minions: &Minions) -> Value {
    let running: Vec<Value> = status
        .running
        .iter()
        .map(|(run, announced)| record::of_run(run, minions, *announced))
        .collect();
    let gaps = status.gaps.iter().map(record::of_gap);
    let given_up = status.given_up.iter().map(|delivery| {
        let mut object = show::delivery_object(delivery);
        let jid = status.given_up_of.get(&delivery.run).map(|(jid, _)| jid.as_str());
        show::add(&mut object, "jid", Value::from(jid));
        object
    });
    let not_told = status.not_told.iter().map(|NotTold { at, unsaid, .. }| {
        let (from, to) = (unsaid.from.to_string(), unsaid.to.to_string());
        json!({"at": at.to_string(), "sink": unsaid.sink, "runs": unsaid.runs, "from": from, "to": to})
    });
    let sinks = status.sinks.iter().map(|sink| {
        let since = sink.failing_since.map(|at| at.to_string());
        let checkpoint =
            sink.checkpoint.map(|told| json!({"entry": told.number, "at": told.at.to_string()}));
        json!({
            "name": sink.name,
            "trouble": sink.trouble,
            "failing_since": since,
            "checkpoint": checkpoint,
        })
    });
    let seen = status.seen.iter().map(|(family, count)| (family.clone(), Value::from(*count)));
    json!({
        "daemon": {
            "running": status.holder.is_some(),
            "pid": status.holder.as_deref().and_then(|pid| pid.parse::<u32>().ok()),
            "in_memory": status.disk.elsewhere,
            "slow_since": status.disk.slow.map(|at| at.to_string()),
        },
        "journal": status.journal.display().to_string(),
        "entries": status.entries,
        "extent": extent::object(&status.extent),
        "bus": {
            "connected": status.connected.filter(|_| status.is_known_now()),
            "heard_at": status.heard_at.map(|at| at.to_string()),
        },
        "confirms": status.confirms,
        "running": running,
        "gaps": gaps.collect::<Vec<_>>(),
        "given_up": given_up.collect::<Vec<_>>(),
        "not_told": not_told.collect::<Vec<_>>(),
        "sinks": sinks.collect::<Vec<_>>(),
        "seen": Value::Object(seen.collect()),
        "checkpoint": status.sealed.map(|signed| json!({
            "entry": signed.checkpoint.number,
            "at": signed.checkpoint.at.to_string(),
            "line": signed.to_string(),
        })),
        "keys": status.keys.iter().map(|(key, _)| key.to_string()).collect::<Vec<_>>(),
    })
}
