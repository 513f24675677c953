//! `fake-slack`: shows in the terminal what salt-herald would say in a Slack channel.
//!
//! On a terminal it draws the channel and redraws messages as they are edited; elsewhere it prints a
//! line for each thing that happens. All rules are the library's.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser;
use fake_slack::draw::{Look, draw, log_line};
use fake_slack::{Channel, FakeSlack, Options};
use tokio::signal::unix::{SignalKind, signal};

/// A stand-in for Slack: point salt-herald's api_url or webhook_url here and watch.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:7700", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// The bot token that is valid
    #[arg(long, default_value = "xoxb-fake-token")]
    token: String,
    /// The channel's name
    #[arg(long, default_value = "monitoring")]
    channel: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fake-slack: {error}");
            ExitCode::from(2)
        }
    }
}

async fn run(arguments: Arguments) -> io::Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let options = Options {
        token: arguments.token,
        channel: arguments.channel.trim_start_matches('#').to_owned(),
        ..Options::default()
    };
    let slack = FakeSlack::start_on(arguments.listen, options).await?;
    match greet(&slack) {
        // Whoever read our output went away.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
        greeted => greeted?,
    }
    let mut screen = Screen::new();
    loop {
        let changed = slack.changed();
        tokio::pin!(changed);
        // What happens while we draw is drawn next time.
        changed.as_mut().enable();
        match screen.show(&slack.channel()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            shown => shown?,
        }
        tokio::select! {
            () = changed => {}
            _ = terminated.recv() => return Ok(()),
            _ = interrupted.recv() => return Ok(()),
        }
    }
}

/// Where to point salt-herald.
fn greet(slack: &FakeSlack) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "fake-slack listening on http://{}", slack.address())?;
    writeln!(out, "  api_url:     {}", slack.api_url())?;
    writeln!(out, "  webhook_url: {}\n", slack.webhook_url())?;
    out.flush()
}

/// What stands on the terminal, or what was printed of the log.
struct Screen {
    terminal: bool,
    color: bool,
    /// Lines that we drew last, to be drawn over.
    drawn: Vec<String>,
    logged: usize,
}

impl Screen {
    fn new() -> Self {
        let terminal = io::stdout().is_terminal();
        let no_color = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { terminal, color: terminal && !no_color, drawn: Vec::new(), logged: 0 }
    }

    fn show(&mut self, channel: &Channel) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.terminal {
            self.redraw(&mut out, channel)?;
        } else {
            for change in channel.changes.iter().skip(self.logged) {
                writeln!(out, "{}", log_line(change))?;
            }
            self.logged = channel.changes.len();
        }
        out.flush()
    }

    /// Draws over what we drew before, from the first line that differs. Lines that left the screen
    /// at the top stay as they are.
    fn redraw(&mut self, out: &mut impl Write, channel: &Channel) -> io::Result<()> {
        let (width, height) = size();
        let lines = draw(channel, &Look { color: self.color, width });
        let same = lines.iter().zip(&self.drawn).take_while(|(new, old)| new == old).count();
        let reachable = self.drawn.len().saturating_sub(height.saturating_sub(1));
        let from = same.max(reachable);
        let up = self.drawn.len().saturating_sub(from);
        if up > 0 {
            write!(out, "\x1b[{up}A")?;
        }
        write!(out, "\r\x1b[J")?;
        for line in lines.iter().skip(from) {
            writeln!(out, "{line}")?;
        }
        self.drawn = lines;
        Ok(())
    }
}

/// Columns and rows of the terminal.
fn size() -> (usize, usize) {
    match rustix::termios::tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
            (usize::from(size.ws_col), usize::from(size.ws_row))
        }
        _ => (80, 24),
    }
}
