//! The thread that writes: what is queued becomes durable in one commit, and is told of after it.
//!
//! When nothing waits, a batch is committed at once; what came meanwhile makes the next commit.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use herald_core::change::GapReason;
use herald_core::run::RunId;
use jiff::Timestamp;
use tokio::sync::{oneshot, watch};

use super::deed::{Deed, Order, Reply};
use super::read::JournalReader;
use super::recorder::{Recorder, Shared};
use super::retention::Retention;
use super::sealing::Sealing;
use super::size;
use crate::store::{Batch, Delivery, Disk, Keeping, SinkState, StoreError, Told};

/// How many batches may wait, each of some 2 MiB at the most. The sender waits when it is full.
const QUEUE: usize = 8;
/// A commit takes up what came within this time, and no more.
const GATHER: Duration = Duration::from_millis(20);
/// So long nothing has to come for what was left over to be done.
const PAUSE: Duration = Duration::from_millis(200);
/// So long nothing has to come for something old to be taken out.
const LULL: Duration = Duration::from_millis(25);
/// How often it is looked whether another day has come.
const LOOK: Duration = Duration::from_secs(60);
/// How many bytes may wait in memory while the file can't be written.
pub const MEMORY: usize = 64 << 20;

/// The way to the journal. Cheap to clone; the thread ends when the last one is dropped.
#[derive(Clone)]
pub struct JournalWriter {
    orders: SyncSender<Order>,
    version: watch::Receiver<u64>,
    shared: Arc<Shared>,
    thread: Arc<std::sync::Mutex<Option<JoinHandle<()>>>>,
}

impl JournalWriter {
    pub(super) fn start(recorder: Recorder, shared: Arc<Shared>, sealing: Option<Sealing>) -> Self {
        let (orders, receiver) = sync_channel(QUEUE);
        let (told, version) = watch::channel(recorder.last_number());
        let retention = Retention::new(Arc::clone(&shared.gone), shared.numbers.clone());
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || write_all(recorder, (retention, sealing), &receiver, &told));
        let thread = Arc::new(std::sync::Mutex::new(thread.ok()));
        Self { orders, version, shared, thread }
    }

    /// A reader that sees what was written, wherever it is.
    ///
    /// # Errors
    /// When neither file nor memory can be opened.
    pub fn reader(&self) -> Result<JournalReader, StoreError> {
        JournalReader::following(Arc::clone(&self.shared.place))
    }

    /// Queues a batch; waits while the queue is full. Not to be called from async code.
    ///
    /// # Errors
    /// When the thread is gone, or the process ends and nothing is waited for any more.
    pub fn record(&self, batch: Batch) -> Result<(), StoreError> {
        while self.shared.full.load(Ordering::Acquire) {
            self.rest()?;
        }
        self.send(Order { deed: Deed::Record(batch), reply: Reply::Nobody })
    }

    /// Queues from a thread, which waits while the queue is full.
    fn send(&self, mut order: Order) -> Result<(), StoreError> {
        loop {
            match self.orders.try_send(order) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Full(back)) => order = back,
                Err(TrySendError::Disconnected(_)) => return Err(StoreError::Closed),
            }
            self.rest()?;
        }
    }

    fn rest(&self) -> Result<(), StoreError> {
        if self.shared.abandoned.load(Ordering::Acquire) {
            return Err(StoreError::Closed);
        }
        std::thread::sleep(Duration::from_millis(1));
        Ok(())
    }

    /// Records what was said, all in one commit, and waits until it is on disk.
    ///
    /// # Errors
    /// When the thread is gone, or it can't be kept anywhere.
    pub async fn deliver(&self, deliveries: Vec<Delivery>) -> Result<(), StoreError> {
        let (done, wait) = oneshot::channel();
        self.queue(Deed::Deliver(deliveries), Reply::Done(done)).await?;
        wait.await.map_err(|_| StoreError::Closed)
    }

    /// Takes up a sink, and gives how far it is: what was recorded before it was ever taken up is
    /// old news there.
    ///
    /// # Errors
    /// When the thread is gone.
    pub async fn introduce(&self, sink: &str) -> Result<SinkState, StoreError> {
        let (done, wait) = oneshot::channel();
        self.queue(Deed::Introduce(sink.to_owned()), Reply::Sink(done)).await?;
        wait.await.map_err(|_| StoreError::Closed)
    }

    /// Takes out what is older than that from now on, while nothing else is to be written. What is
    /// still owed to one of these sinks stays.
    ///
    /// # Errors
    /// When the thread is gone.
    pub async fn keep(&self, keeping: Keeping, sinks: Vec<String>) -> Result<(), StoreError> {
        if let Ok(mut rules) = self.shared.rules.lock() {
            *rules = Some((keeping, sinks));
        }
        // The thread looks when it wakes.
        self.queue(Deed::Settle, Reply::Nobody).await
    }

    /// Runs up to this one were taken out, because they were old.
    pub fn gone(&self) -> RunId {
        RunId(self.shared.gone.load(Ordering::Relaxed))
    }

    /// Keeps how far a sink is.
    ///
    /// # Errors
    /// When the thread is gone.
    pub async fn note_sink(&self, sink: SinkState) -> Result<(), StoreError> {
        self.queue(Deed::Sink(sink), Reply::Nobody).await
    }

    /// Keeps where a sink's trouble was told.
    ///
    /// # Errors
    /// When the thread is gone.
    pub async fn note_told(&self, sink: &str, told: Option<Told>) -> Result<(), StoreError> {
        self.queue(Deed::Told(sink.to_owned(), told), Reply::Nobody).await
    }

    /// Takes runs out of a message about several at a sink that never showed them, and waits until
    /// that is on disk.
    ///
    /// # Errors
    /// When the thread is gone, or it can't be kept anywhere.
    pub async fn withdraw(&self, sink: &str, runs: Vec<RunId>) -> Result<(), StoreError> {
        let (done, wait) = oneshot::channel();
        self.queue(Deed::Withdraw(sink.to_owned(), runs), Reply::Done(done)).await?;
        wait.await.map_err(|_| StoreError::Closed)
    }

    /// Waits until what was queued before is on disk.
    ///
    /// # Errors
    /// When the thread is gone.
    pub async fn settle(&self) -> Result<(), StoreError> {
        let (done, wait) = oneshot::channel();
        self.queue(Deed::Settle, Reply::Done(done)).await?;
        wait.await.map_err(|_| StoreError::Closed)
    }

    /// Tells once what was queued before is on disk. Not to be called from async code.
    ///
    /// # Errors
    /// When the thread is gone.
    pub fn settling(&self) -> Result<oneshot::Receiver<()>, StoreError> {
        let (done, wait) = oneshot::channel();
        self.send(Order { deed: Deed::Settle, reply: Reply::Done(done) })?;
        Ok(wait)
    }

    /// Queues without holding a thread: the queue is full only under a flood.
    async fn queue(&self, deed: Deed, reply: Reply) -> Result<(), StoreError> {
        let mut order = Order { deed, reply };
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
        self.send(Order { deed: Deed::Note(key, value), reply: Reply::Nobody })
    }

    /// The number of the last entry that is on disk; changes with each commit.
    pub fn version(&self) -> watch::Receiver<u64> {
        self.version.clone()
    }

    /// Whether the file can be written.
    pub fn disk(&self) -> watch::Receiver<Disk> {
        self.shared.disk.subscribe()
    }

    /// Since when what is to be recorded takes seconds or does not come back, if it does.
    pub fn slow(&self) -> watch::Receiver<Option<Timestamp>> {
        self.shared.speed.slow.subscribe()
    }

    /// Looks whether the disk is slow, each time it is called: to be called each second.
    pub fn stopwatch(&self) -> impl Fn() + Send + Sync + 'static {
        // Not the whole of it: the thread ends when the last one who may write is gone.
        let shared = Arc::clone(&self.shared);
        move || shared.speed.look()
    }

    /// Whether what is recorded now goes into memory.
    pub fn is_away(&self) -> bool {
        matches!(*self.shared.disk.borrow(), Disk::Away(_))
    }

    /// Tells how many bytes the file takes, with what is not merged into it yet.
    pub fn size(&self) -> impl Fn() -> u64 + Send + Sync + 'static {
        let place = Arc::clone(&self.shared.place);
        move || size::on_disk(place.path())
    }

    /// How many batches the journal lost so far though there was a place for them: each is a gap, and
    /// what they told of is known to nobody who reads it.
    pub fn lost(&self) -> u64 {
        self.shared.refused.load(Ordering::Acquire)
    }

    /// Says why something found no room that came at a time.
    pub fn excuse(&self) -> impl Fn(Timestamp) -> GapReason + Send + Sync + 'static {
        // Not the whole of it: the thread ends when the last one who may write is gone.
        let shared = Arc::clone(&self.shared);
        move |at| shared.why_no_room(at)
    }

    /// From now on nobody waits for the disk: the process ends.
    pub fn abandon(&self) {
        self.shared.abandoned.store(true, Ordering::Release);
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
    mut recorder: Recorder,
    (mut retention, mut sealing): (Retention, Option<Sealing>),
    orders: &Receiver<Order>,
    told: &watch::Sender<u64>,
) {
    let shared = Arc::clone(recorder.shared());
    let speed = &shared.speed;
    loop {
        speed.time(|| seal(&mut recorder, sealing.as_mut(), told));
        let Some(first) = next(&mut recorder, &mut retention, orders) else { break };
        let Some(first) = first else { continue };
        let group = gather(first, orders);
        let (deeds, replies): (Vec<Deed>, Vec<Reply>) =
            group.into_iter().map(|order| (order.deed, order.reply)).unzip();
        let answers = speed.time(|| recorder.write(deeds));
        told.send_if_modified(|last| {
            std::mem::replace(last, recorder.last_number()) != recorder.last_number()
        });
        replies.into_iter().zip(answers).for_each(|(reply, answer)| reply.send(answer));
    }
    recorder.end();
}

/// Signs for the chain if that is due, and tells of the entry that says so.
fn seal(recorder: &mut Recorder, sealing: Option<&mut Sealing>, told: &watch::Sender<u64>) {
    if let (Some(file), Some(sealing)) = (recorder.file(), sealing)
        && sealing.work(file)
    {
        told.send_replace(recorder.last_number());
    }
}

/// The next order, or nothing of that kind after a while without one; nothing at all once nobody gives
/// any more. A file that could not be written is tried again in time; what was left over is done once
/// there is a pause, and what is old is taken out.
fn next(
    recorder: &mut Recorder,
    retention: &mut Retention,
    orders: &Receiver<Order>,
) -> Option<Option<Order>> {
    while let Some(patience) = recorder.until_retry() {
        match orders.recv_timeout(patience) {
            Ok(order) if patience.is_zero() => {
                timed(recorder, Recorder::retry);
                return Some(Some(order));
            }
            Ok(order) => return Some(Some(order)),
            Err(RecvTimeoutError::Timeout) => timed(recorder, Recorder::retry),
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
    if let Some((keeping, sinks)) = recorder.take_rules() {
        retention.keep(keeping, sinks);
    }
    if retention.is_starved() {
        timed(recorder, |recorder| take_out(recorder, retention));
    }
    let is_due = recorder.file().is_some_and(|file| retention.is_due(file));
    let patience = match (is_due, recorder.is_behind()) {
        (true, _) => LULL,
        (false, true) => PAUSE,
        (false, false) => LOOK,
    };
    let order = match orders.recv_timeout(patience) {
        Ok(order) => return Some(Some(order)),
        Err(RecvTimeoutError::Timeout) => Some(None),
        Err(RecvTimeoutError::Disconnected) => None,
    };
    timed(recorder, |recorder| {
        catch_up(recorder);
        if order.is_some() {
            take_out(recorder, retention);
        }
    });
    order
}

/// Does something that may have to wait for the disk.
fn timed(recorder: &mut Recorder, work: impl FnOnce(&mut Recorder)) {
    let shared = Arc::clone(recorder.shared());
    shared.speed.time(|| work(recorder));
}

fn catch_up(recorder: &mut Recorder) {
    if recorder.is_behind()
        && let Err(error) = recorder.catch_up()
    {
        let error = &error as &dyn std::error::Error;
        tracing::error!(error, "the index is behind");
    }
}

/// Takes out some of what is old, if anything is due.
fn take_out(recorder: &mut Recorder, retention: &mut Retention) {
    if let Some(file) = recorder.file()
        && retention.is_due(file)
    {
        retention.work(file);
    }
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
