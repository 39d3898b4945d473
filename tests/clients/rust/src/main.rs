//! Obeys the commands of tests/clients/program.py with graphql-ws-client.
mod setup;

use std::collections::HashMap;

use futures_util::StreamExt;
use graphql_client::GraphQLQuery;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tokio::task::LocalSet;

use setup::{Failure, follow, run};

#[derive(GraphQLQuery)]
#[graphql(
    schema_path = "../../../schema.graphql",
    query_path = "operations.graphql"
)]
struct Value;

#[derive(GraphQLQuery)]
#[graphql(
    schema_path = "../../../schema.graphql",
    query_path = "operations.graphql"
)]
struct Set;

#[derive(GraphQLQuery)]
#[graphql(
    schema_path = "../../../schema.graphql",
    query_path = "operations.graphql"
)]
struct Delete;

#[derive(Deserialize)]
struct Command {
    r#do: String,
    #[serde(default)]
    id: u64,
    #[serde(default)]
    key: String,
    #[serde(default)]
    value: String,
}

fn write(message: Json) {
    println!("{message}");
}

/// Returns the only answer of an operation.
async fn answer<Q>(url: &str, variables: Q::Variables) -> Result<Q::ResponseData, Failure>
where
    Q: GraphQLQuery + Send + Unpin + 'static,
    Q::Variables: Send + Sync + Unpin,
    Q::ResponseData: Send,
{
    let answer = run::<Q>(url, variables)
        .await?
        .next()
        .await
        .ok_or("no answer")??;
    answer
        .data
        .ok_or_else(|| format!("{:?}", answer.errors).into())
}

async fn execute(url: &str, command: Command) -> Result<Option<String>, Failure> {
    let Command {
        r#do, key, value, ..
    } = command;
    Ok(match r#do.as_str() {
        "query" => answer::<Value>(url, value::Variables { key })
            .await?
            .value
            .and_then(|entry| entry.value),
        "set" => answer::<Set>(url, set::Variables { key, value })
            .await?
            .set
            .and_then(|write| write.entry)
            .and_then(|entry| entry.value),
        _ => answer::<Delete>(url, delete::Variables { key })
            .await
            .map(|_| None)?,
    })
}

async fn obey(url: String) -> Result<(), Failure> {
    let mut subscriptions = HashMap::new();
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let command: Command = serde_json::from_str(&line)?;
        match command.r#do.as_str() {
            "subscribe" => {
                let (id, url) = (command.id, url.clone());
                let task = tokio::task::spawn_local(async move {
                    follow(&url, vec![command.key], |update| {
                        let value = update.entry.and_then(|entry| entry.value);
                        write(json!({"id": id, "kind": update.kind, "value": value}));
                    })
                    .await;
                });
                subscriptions.insert(id, task);
            }
            "unsubscribe" => {
                if let Some(task) = subscriptions.remove(&command.id) {
                    task.abort();
                }
            }
            _ => write(json!({"answer": execute(&url, command).await?})),
        }
    }
    std::process::exit(0)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let url = std::env::args()
        .nth(1)
        .ok_or("the URL of the service is missing")?;
    LocalSet::new().run_until(obey(url)).await
}
