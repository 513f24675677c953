//! The thread that writes: what is queued becomes durable in one commit, and is told of after it.
//!
//! When nothing waits, a batch is committed at once; what came meanwhile makes the next commit.

use std::fs::File;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use herald_core::run::RunId;
use tokio::sync::{oneshot, watch};

use super::write::Inserter;
use crate::store::{Batch, Delivery, SinkState, StoreError, Told};

/// How many batches may wait, each of some 2 MiB at the most. The sender waits when it is full.
const QUEUE: usize = 8;
/// A commit takes up what came within this time, and no more.
const GATHER: Duration = Duration::from_millis(20);
/// So long nothing has to come for what was left over to be done.
const PAUSE: Duration = Duration::from_millis(200);
/// How long to wait before a failed commit is tried again.
const RETRY: Duration = Duration::from_millis(500);

enum Order {
    Record(Batch),
    Deliver(Vec<Delivery>, oneshot::Sender<()>),
    Introduce(String, oneshot::Sender<SinkState>),
    Sink(SinkState),
    Told(String, Option<Told>),
    Withdraw(String, Vec<RunId>, oneshot::Sender<()>),
    Note(&'static str, i64),
    Settle(oneshot::Sender<()>),
}

/// The way to the journal. Cheap to clone; the thread ends when the last one is dropped.
#[derive(Clone)]
pub struct JournalWriter {
    orders: SyncSender<Order>,
    version: watch::Receiver<u64>,
    trouble: watch::Receiver<Option<Arc<str>>>,
    thread: Arc<std::sync::Mutex<Option<JoinHandle<()>>>>,
}

impl JournalWriter {
    pub(super) fn start(inserter: Inserter, lock: File) -> Self {
        let (orders, receiver) = sync_channel(QUEUE);
        let (told, version) = watch::channel(inserter.last_number());
        let (alarm, trouble) = watch::channel(None);
        let thread = std::thread::Builder::new().name("journal".to_owned()).spawn(move || {
            write_all(inserter, &receiver, &told, &alarm);
            drop(lock);
        });
        let thread = Arc::new(std::sync::Mutex::new(thread.ok()));
        Self { orders, version, trouble, thread }
    }

    /// Queues a batch; waits while the queue is full. Not to be called from async code.
    ///
    /// # Errors
    /// When the thread is gone.
    pub fn record(&self, batch: Batch) -> Result<(), StoreError> {
        self.orders.send(Order::Record(batch)).map_err(|_| StoreError::Closed)
    }

    /// Records what was said, all in one commit, and waits until it is on disk.
    ///
    /// # Errors
    /// When the thread is gone.
    pub async fn deliver(&self, deliveries: Vec<Delivery>) -> Result<(), StoreError> {
        let (done, wait) = oneshot::channel();
        self.queue(Order::Deliver(deliveries, done)).await?;
        wait.await.map_err(|_| StoreError::Closed)
    }

    /// Takes up a sink, and gives how far it is: what was recorded before it was ever taken up is
    /// old news there.
    ///
    /// # Errors
    /// When the thread is gone.
    pub async fn introduce(&self, sink: &str) -> Result<SinkState, StoreError> {
        let (done, wait) = oneshot::channel();
        self.queue(Order::Introduce(sink.to_owned(), done)).await?;
        wait.await.map_err(|_| StoreError::Closed)
    }

    /// Keeps how far a sink is.
    ///
    /// # Errors
    /// When the thread is gone.
    pub async fn note_sink(&self, sink: SinkState) -> Result<(), StoreError> {
        self.queue(Order::Sink(sink)).await
    }

    /// Keeps where a sink's trouble was told.
    ///
    /// # Errors
    /// When the thread is gone.
    pub async fn note_told(&self, sink: &str, told: Option<Told>) -> Result<(), StoreError> {
        self.queue(Order::Told(sink.to_owned(), told)).await
    }

    /// Takes runs out of a message about several at a sink that never showed them, and waits until
    /// that is on disk.
    ///
    /// # Errors
    /// When the thread is gone.
    pub async fn withdraw(&self, sink: &str, runs: Vec<RunId>) -> Result<(), StoreError> {
        let (done, wait) = oneshot::channel();
        self.queue(Order::Withdraw(sink.to_owned(), runs, done)).await?;
        wait.await.map_err(|_| StoreError::Closed)
    }

    /// Waits until what was queued before is on disk.
    ///
    /// # Errors
    /// When the thread is gone.
    pub async fn settle(&self) -> Result<(), StoreError> {
        let (done, wait) = oneshot::channel();
        self.queue(Order::Settle(done)).await?;
        wait.await.map_err(|_| StoreError::Closed)
    }

    /// Tells once what was queued before is on disk. Not to be called from async code.
    ///
    /// # Errors
    /// When the thread is gone.
    pub fn settling(&self) -> Result<oneshot::Receiver<()>, StoreError> {
        let (done, wait) = oneshot::channel();
        self.orders.send(Order::Settle(done)).map_err(|_| StoreError::Closed)?;
        Ok(wait)
    }

    /// Queues without holding a thread: the queue is full only under a flood.
    async fn queue(&self, mut order: Order) -> Result<(), StoreError> {
        loop {
            match self.orders.try_send(order) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Full(back)) => order = back,
                Err(TrySendError::Disconnected(_)) => return Err(StoreError::Closed),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Keeps a number that is no entry: when the bus was last heard.
    ///
    /// # Errors
    /// When the thread is gone.
    pub fn note(&self, key: &'static str, value: i64) -> Result<(), StoreError> {
        self.orders.send(Order::Note(key, value)).map_err(|_| StoreError::Closed)
    }

    /// The number of the last entry that is on disk; changes with each commit.
    pub fn version(&self) -> watch::Receiver<u64> {
        self.version.clone()
    }

    /// Why nothing can be written at the moment.
    pub fn trouble(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.trouble.clone()
    }

    /// Ends the thread once all that was queued is on disk.
    pub fn close(self) {
        let thread = self.thread.lock().ok().and_then(|mut thread| thread.take());
        drop(self);
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

fn write_all(
    mut inserter: Inserter,
    orders: &Receiver<Order>,
    told: &watch::Sender<u64>,
    alarm: &watch::Sender<Option<Arc<str>>>,
) {
    while let Some(first) = next(&mut inserter, orders) {
        let group = gather(first, orders);
        let answers = loop {
            match write_group(&mut inserter, &group) {
                Ok(answers) => break answers,
                Err(error) => {
                    let cause = &error as &dyn std::error::Error;
                    tracing::error!(error = cause, "the journal can't be written; trying on");
                    alarm.send_replace(Some(chain_of(&error).into()));
                    std::thread::sleep(RETRY);
                }
            }
        };
        if alarm.borrow().is_some() {
            alarm.send_replace(None);
        }
        told.send_if_modified(|last| {
            std::mem::replace(last, inserter.last_number()) != inserter.last_number()
        });
        group.into_iter().zip(answers).for_each(|(order, answer)| order.done(answer));
    }
}

impl Order {
    /// Tells who waits for it that it is on disk.
    fn done(self, answer: Option<SinkState>) {
        match self {
            Order::Deliver(_, done) | Order::Withdraw(.., done) | Order::Settle(done) => {
                let _ = done.send(());
            }
            Order::Introduce(_, done) => {
                if let Some(answer) = answer {
                    let _ = done.send(answer);
                }
            }
            Order::Record(_) | Order::Sink(_) | Order::Told(..) | Order::Note(..) => {}
        }
    }
}

/// The next order. What was left over is done once there is a pause.
fn next(inserter: &mut Inserter, orders: &Receiver<Order>) -> Option<Order> {
    if inserter.is_behind() {
        match orders.recv_timeout(PAUSE) {
            Ok(order) => return Some(order),
            Err(RecvTimeoutError::Disconnected | RecvTimeoutError::Timeout) => {
                if let Err(error) = inserter.catch_up() {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "the index is behind"
                    );
                }
            }
        }
    }
    orders.recv().ok()
}

/// What waits, up to a time; nothing is waited for.
fn gather(first: Order, orders: &Receiver<Order>) -> Vec<Order> {
    let since = Instant::now();
    let mut group = vec![first];
    while since.elapsed() < GATHER && group.len() < QUEUE {
        match orders.try_recv() {
            Ok(order) => group.push(order),
            Err(_) => break,
        }
    }
    group
}

/// Writes all or nothing, and gives each order's answer.
fn write_group(
    inserter: &mut Inserter,
    group: &[Order],
) -> Result<Vec<Option<SinkState>>, StoreError> {
    let mut answers = Vec::with_capacity(group.len());
    inserter.transaction(|insert| {
        for order in group {
            answers.push(match order {
                Order::Record(batch) => insert.batch(batch).map(|()| None)?,
                Order::Deliver(deliveries, _) => {
                    deliveries.iter().try_for_each(|one| insert.delivery(one)).map(|()| None)?
                }
                Order::Introduce(sink, _) => Some(insert.introduce(sink)?),
                Order::Sink(sink) => insert.sink(sink).map(|()| None)?,
                Order::Told(sink, told) => insert.told(sink, told.as_ref()).map(|()| None)?,
                Order::Withdraw(sink, runs, _) => insert.withdraw(sink, runs).map(|()| None)?,
                Order::Note(key, value) => insert.note(key, *value).map(|()| None)?,
                Order::Settle(_) => None,
            });
        }
        Ok(())
    })?;
    Ok(answers)
}

fn chain_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
