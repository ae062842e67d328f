//! `lograil dead-letters`: what a running lograil refused, to be listed, offered again or dropped.

use anyhow::{Context, bail};
use serde_json::Value;

use crate::admin_client::{AdminClient, with_parameters};
use crate::args::{DeadLettersArguments, DeadLettersCommand, LetterChoice, LetterNarrowing};
use crate::exit::Exit;
use crate::output;

/// Letters that one request asks for.
const PAGE_MAX: u64 = 1000;

/// Ids that go into one request.
const IDS_MAX: usize = 100;

type Parameters = Vec<(&'static str, String)>;

pub(crate) fn run(arguments: &DeadLettersArguments) -> anyhow::Result<Exit> {
    let client = AdminClient::new(match &arguments.command {
        DeadLettersCommand::List { admin, .. }
        | DeadLettersCommand::Replay { admin, .. }
        | DeadLettersCommand::Drop { admin, .. } => admin,
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("start the runtime")?;
    runtime.block_on(async {
        match &arguments.command {
            DeadLettersCommand::List { narrowing, limit, .. } => {
                list(&client, narrowing, *limit).await
            }
            DeadLettersCommand::Replay { choice, to, .. } => {
                let to: Parameters = to.iter().map(|to| ("to", to.clone())).collect();
                change(&client, "replay", "replayed", choice, &to).await
            }
            DeadLettersCommand::Drop { choice, .. } => {
                change(&client, "drop", "dropped", choice, &[]).await
            }
        }
    })
}

async fn list(
    client: &AdminClient,
    narrowing: &LetterNarrowing,
    limit: u64,
) -> anyhow::Result<Exit> {
    let (mut left, mut cursor) = (limit, None);
    while left > 0 {
        let mut parameters = narrowed(narrowing);
        parameters.push(("limit", left.min(PAGE_MAX).to_string()));
        parameters.extend(cursor.map(|cursor| ("cursor", cursor)));
        let answer = client.get(&with_parameters("/dead-letters", &parameters)).await?;
        let letters = answer["letters"].as_array().context("read the answer: it has no letters")?;
        for letter in letters {
            output::answer(&format!("{letter}\n"))?;
        }
        left = left.saturating_sub(letters.len() as u64);
        cursor = answer["next"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    Ok(Exit::Success)
}

/// Replays or drops, and tells how many letters it was.
async fn change(
    client: &AdminClient,
    path: &str,
    counted: &str,
    choice: &LetterChoice,
    more: &[(&'static str, String)],
) -> anyhow::Result<Exit> {
    let mut parameters = narrowed(&choice.narrowing);
    if choice.all {
        parameters.push(("all", "true".to_owned()));
    }
    parameters.extend_from_slice(more);
    let mut requests: Vec<Parameters> = Vec::new();
    for ids in choice.ids.chunks(IDS_MAX) {
        requests.push([("ids", ids.join(","))].into_iter().chain(parameters.clone()).collect());
    }
    if requests.is_empty() {
        requests.push(parameters);
    }
    let (mut letters, mut is_whole) = (0, true);
    for parameters in requests {
        let answer =
            client.post(&with_parameters(&format!("/dead-letters/{path}"), &parameters)).await?;
        let Some(count) = answer[counted].as_u64() else {
            bail!("read the answer: it does not say how many letters were {counted}")
        };
        letters += count;
        is_whole &= !tell_rest(&answer);
    }
    output::answer(&format!("{} {counted}\n", output::counted(letters, "letter", "letters")))?;
    Ok(if is_whole { Exit::Success } else { Exit::Failed })
}

/// Tells of letters that stay, on stderr. Whether there are any.
fn tell_rest(answer: &Value) -> bool {
    let of = |name: &str| answer[name].as_array().cloned().unwrap_or_default();
    let (unknown, left_out) = (of("unknown"), of("left_out"));
    for id in &unknown {
        output::error(&format!("no letter has the id {}", id.as_str().unwrap_or_default()));
    }
    for one in &left_out {
        let component = one["component_id"].as_str().unwrap_or_default();
        output::error(&format!(
            "{}: the topology has no component `{component}` any more, or it cannot be read; `--to` names another \
             component",
            output::counted(
                one["letters"].as_u64().unwrap_or_default(),
                "letter stays",
                "letters stay"
            )
        ));
    }
    !unknown.is_empty() || !left_out.is_empty()
}

fn narrowed(narrowing: &LetterNarrowing) -> Parameters {
    let both = [("component", &narrowing.component), ("reason", &narrowing.reason)];
    both.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect()
}
