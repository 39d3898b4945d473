use std::time::Duration;

use futures_util::StreamExt;
use graphql_client::GraphQLQuery;
use graphql_ws_client::graphql::StreamingOperation;
use graphql_ws_client::{Client, Subscription};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

pub type Failure = Box<dyn std::error::Error + Send + Sync>;
pub type Cursor = String;

const PAUSE: Duration = Duration::from_millis(100);

#[derive(GraphQLQuery)]
#[graphql(
    schema_path = "../../../schema.graphql",
    query_path = "operations.graphql"
)]
pub struct Updates;

/// Runs an operation on a connection of its own.
pub async fn run<Q>(
    url: &str,
    variables: Q::Variables,
) -> Result<Subscription<StreamingOperation<Q>>, Failure>
where
    Q: GraphQLQuery + Send + Unpin + 'static,
    Q::Variables: Send + Sync + Unpin,
    Q::ResponseData: Send,
{
    let mut request = url.replacen("http", "ws", 1).into_client_request()?;
    let protocol = HeaderValue::from_static("graphql-transport-ws");
    request
        .headers_mut()
        .insert("Sec-WebSocket-Protocol", protocol);
    let (connection, _) = connect_async(request).await?;
    Ok(Client::build(connection)
        .subscribe(StreamingOperation::<Q>::new(variables))
        .await?)
}

/// Watches keys; where the connection is lost, it goes on after the last update.
pub async fn follow(url: &str, keys: Vec<String>, next: impl Fn(updates::UpdatesUpdates)) {
    let mut after = None;
    loop {
        let variables = updates::Variables {
            keys: Some(keys.clone()),
            after: after.clone(),
        };
        if let Ok(mut answers) = run::<Updates>(url, variables).await {
            while let Some(Ok(answer)) = answers.next().await {
                let Some(data) = answer.data else { return };
                after = Some(data.updates.cursor.clone());
                next(data.updates);
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}
