//! `lograil top`: a running topology in the terminal.

mod model;
mod view;

use std::io::IsTerminal;
use std::time::Duration;

use anyhow::{Context, bail};
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::admin_client::{AdminClient, tap_path};
use crate::args::TopArguments;
use crate::exit::Exit;
use crate::output;

use model::{Model, Topology};

/// How often the topology is asked for.
const REFRESH: Duration = Duration::from_secs(1);

/// What the screen reacts to.
enum Happened {
    Terminal(Event),
    Topology(Result<Topology, String>),
    /// A live event, or why there is none, of the tap with this number.
    Tapped(u64, String),
}

pub(crate) fn run(arguments: &TopArguments) -> anyhow::Result<Exit> {
    let client = AdminClient::new(&arguments.admin);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .context("start the runtime")?;
    if arguments.once {
        let status = runtime.block_on(client.get("/topology"))?;
        let text = if arguments.json {
            format!("{status:#}\n")
        } else {
            view::plain(&serde_json::from_value(status).context("read the answer")?)
        };
        output::answer(&text)?;
        return Ok(Exit::Success);
    }
    if !std::io::stdout().is_terminal() {
        bail!("this is no terminal; use `--once`, or `--once --json` in a script");
    }
    let mut terminal = ratatui::init();
    let shown = runtime.block_on(follow(&mut terminal, &client));
    ratatui::restore();
    // The thread that reads keys waits for one more.
    runtime.shutdown_background();
    shown?;
    Ok(Exit::Success)
}

/// Draws what happens until somebody leaves.
async fn follow(
    terminal: &mut ratatui::DefaultTerminal,
    client: &AdminClient,
) -> anyhow::Result<()> {
    let (sender, mut happened) = mpsc::channel(64);
    let keys = sender.clone();
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            if keys.blocking_send(Happened::Terminal(event)).is_err() {
                return;
            }
        }
    });
    tokio::spawn(watch(client.clone(), sender.clone()));
    let mut model = Model::default();
    let mut tap: Option<JoinHandle<()>> = None;
    loop {
        terminal.draw(|frame| view::draw(frame, &model)).context("draw")?;
        match happened.recv().await {
            None => return Ok(()),
            Some(Happened::Topology(topology)) => model.take(topology),
            Some(Happened::Tapped(number, line)) => model.tapped(number, line),
            Some(Happened::Terminal(Event::Key(key))) if key.kind == KeyEventKind::Press => {
                if is_end(key) {
                    return Ok(());
                }
                if press(&mut model, key.code) {
                    if let Some(tap) = tap.take() {
                        tap.abort();
                    }
                    let of = model.tap_of().map(str::to_owned);
                    tap = of.map(|id| {
                        tokio::spawn(listen(client.clone(), sender.clone(), id, model.tap_number()))
                    });
                }
            }
            Some(Happened::Terminal(_)) => {}
        }
    }
}

fn is_end(key: KeyEvent) -> bool {
    key.code == KeyCode::Char('q')
        || (key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL))
}

/// What a key does. Whether another tap is wanted now.
fn press(model: &mut Model, key: KeyCode) -> bool {
    match key {
        KeyCode::Char('j') | KeyCode::Down => model.select(1),
        KeyCode::Char('k') | KeyCode::Up => model.select(-1),
        KeyCode::Char('g') => model.switch_view(),
        KeyCode::Char('t') | KeyCode::Enter => return model.switch_tap(),
        KeyCode::Char('p') => model.pause(),
        KeyCode::Esc => return model.end_tap(),
        _ => {}
    }
    false
}

/// Asks for the topology again and again.
async fn watch(client: AdminClient, sender: mpsc::Sender<Happened>) {
    loop {
        let asked =
            client.get("/topology").await.and_then(|status| Ok(serde_json::from_value(status)?));
        let topology = asked.map_err(|error| format!("{error:#}"));
        if sender.send(Happened::Topology(topology)).await.is_err() {
            return;
        }
        tokio::time::sleep(REFRESH).await;
    }
}

/// Passes live events on.
async fn listen(client: AdminClient, sender: mpsc::Sender<Happened>, id: String, number: u64) {
    let path = tap_path(&id, &[("rate", "20".to_owned())]);
    let problem = match client.listen(&path).await {
        Err(error) => format!("{error:#}"),
        Ok(mut events) => loop {
            match events.next().await {
                Ok(Some(event)) if event.name == "event" => {
                    if sender.send(Happened::Tapped(number, event.data)).await.is_err() {
                        return;
                    }
                }
                Ok(Some(_)) => {}
                Ok(None) => break "the component has ended".to_owned(),
                Err(error) => break format!("{error:#}"),
            }
        },
    };
    // Nobody listens any more when the screen is gone.
    let _listening = sender.send(Happened::Tapped(number, problem)).await;
}
