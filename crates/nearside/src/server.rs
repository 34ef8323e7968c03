//! HTTP doors: who may connect, how many at once, and how it ends.
//!
//! Invariants: a connection that sends nothing is closed; a request that came is answered before the process ends, or
//! until [`GRACE`] has passed; what an address of this machine serves is not reached by pages of other sites.

mod guard;
mod metrics;
pub(crate) mod openai;

use std::net::TcpListener as StdTcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

pub(crate) use guard::{Guard, Secret};
pub(crate) use metrics::{Metrics, Totals};

/// Time for the head of a request.
const HEAD: Duration = Duration::from_secs(30);
/// Bytes of a head.
const MOST_HEAD: usize = 64 << 10;
/// Time for requests that came, after the end is wanted.
const GRACE: Duration = Duration::from_secs(30);
/// How often it is looked whether the end is wanted.
const LOOK: Duration = Duration::from_millis(100);

/// Serves until the end is wanted. `connections` at most are open at once; further ones wait.
///
/// # Errors
/// When the system gives no threads, or the listener no connections.
pub(crate) fn serve(
    listener: StdTcpListener,
    app: Router,
    connections: usize,
    ending: &Arc<AtomicBool>,
) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(8)
        .thread_name("http")
        .enable_all()
        .build()?;
    let served = runtime.block_on(accept(listener, app, connections, ending));
    // Threads that still make tokens of text are not waited for.
    runtime.shutdown_background();
    served
}

async fn accept(
    listener: StdTcpListener,
    app: Router,
    connections: usize,
    ending: &Arc<AtomicBool>,
) -> std::io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let places = Arc::new(Semaphore::new(connections));
    let graceful = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(MOST_HEAD);
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            next = next => next,
            () = wanted(ending) => break,
        };
        // One that is gone already, or more files than there may be: the next may do better.
        let (Ok(place), Ok((stream, _))) = (place, accepted) else {
            sleep(LOOK).await;
            continue;
        };
        // Words are small and are to arrive as they are written.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(app.clone());
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            // What goes wrong is the other side's, and it has been told where it listens.
            let _ = connection.await;
            drop(place);
        });
    }
    drop(listener);
    // Whoever does not want to wait says so a second time, which ends the process.
    let _ = timeout(GRACE, graceful.shutdown()).await;
    Ok(())
}

/// Comes when the end is wanted.
async fn wanted(ending: &AtomicBool) {
    while !ending.load(Ordering::Relaxed) {
        sleep(LOOK).await;
    }
}
