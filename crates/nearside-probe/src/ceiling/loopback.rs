//! How fast this machine talks to itself over TCP: what its network stack can do at best, before
//! any cable.
//!
//! Throughput: bytes over the time until the receiver has confirmed the last of them. Round trip:
//! one byte there and back, without delay (`TCP_NODELAY`).

use std::io::{self, Read, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use nearside_units::{self as units, Bytes, BytesPerSecond};

use super::sample::{Bounds, since, spread};
use super::{Ceiling, CeilingName, Found, Reached};

/// Bytes that are sent at once.
const BLOCK: usize = 1 << 20;
/// Blocks of one run.
const BLOCKS: usize = 128;
/// Runs of sending.
const SENDING: Bounds = Bounds { least: 5, most: 15, time: Duration::from_secs(2) };
/// Round trips.
const TRIPS: Bounds = Bounds { least: 200, most: 10_000, time: Duration::from_secs(1) };
/// A peer in the same process that says nothing for so long will not speak any more.
const PATIENCE: Duration = Duration::from_secs(10);

/// Throughput and round trip.
pub(crate) fn measure() -> Found {
    let told = |error: io::Error| format!("TCP on 127.0.0.1: {error}");
    let sent = sending().map_err(told)?;
    let trips = round_trips().map_err(told)?;
    let (runs, count) = (sent.len(), trips.len());
    let run = (BLOCK * BLOCKS) as f64;
    let none = || "no run came to an end".to_owned();
    let rate = spread(sent.into_iter().map(|time| run / time).collect()).ok_or_else(none)?;
    let time = spread(trips).ok_or_else(none)?;
    let rate = rate.try_map(BytesPerSecond::from_bytes_per_second);
    let time = time.try_map(units::Duration::from_seconds);
    Ok(vec![
        Ceiling {
            name: CeilingName::LoopbackRate,
            reached: Reached::Bandwidth(rate.map_err(|error| error.to_string())?),
            runs,
            how: format!("one connection, runs of {}", Bytes::new((BLOCK * BLOCKS) as u64)),
        },
        Ceiling {
            name: CeilingName::LoopbackLatency,
            reached: Reached::Time(time.map_err(|error| error.to_string())?),
            runs: count,
            how: "one byte there and back, TCP_NODELAY".to_owned(),
        },
    ])
}

/// Two ends of one connection.
fn connection() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let near = TcpStream::connect(listener.local_addr()?)?;
    let (far, _) = listener.accept()?;
    for end in [&near, &far] {
        end.set_nodelay(true)?;
        end.set_read_timeout(Some(PATIENCE))?;
        end.set_write_timeout(Some(PATIENCE))?;
    }
    Ok((near, far))
}

/// Seconds of each run: all blocks out, one byte of confirmation back.
fn sending() -> io::Result<Vec<f64>> {
    let (mut near, mut far) = connection()?;
    with_peer(
        move || {
            let mut block = vec![0; BLOCK];
            loop {
                for received in 0..BLOCKS {
                    if !whole(&mut far, &mut block, received)? {
                        return Ok(());
                    }
                }
                far.write_all(&[1])?;
            }
        },
        move || {
            let block = vec![7; BLOCK];
            runs(SENDING, || {
                for _ in 0..BLOCKS {
                    near.write_all(&block)?;
                }
                near.read_exact(&mut [0])
            })
        },
    )
}

/// Seconds of each round trip.
fn round_trips() -> io::Result<Vec<f64>> {
    let (mut near, mut far) = connection()?;
    with_peer(
        move || {
            let mut byte = [0];
            while whole(&mut far, &mut byte, 0)? {
                far.write_all(&byte)?;
            }
            Ok(())
        },
        move || {
            runs(TRIPS, || {
                near.write_all(&[1])?;
                near.read_exact(&mut [0])
            })
        },
    )
}

/// Runs both ends; the near end closes the connection when it is done, which ends the far one.
fn with_peer(
    far: impl FnOnce() -> io::Result<()> + Send,
    near: impl FnOnce() -> io::Result<Vec<f64>>,
) -> io::Result<Vec<f64>> {
    std::thread::scope(|scope| {
        let peer = scope.spawn(far);
        let seconds = near();
        let ended = peer.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()));
        seconds.and_then(|seconds| ended.map(|()| seconds))
    })
}

/// Seconds of each run that may fail; the first warms up and does not count.
fn runs(bounds: Bounds, mut work: impl FnMut() -> io::Result<()>) -> io::Result<Vec<f64>> {
    work()?;
    let begin = Instant::now();
    let mut seconds = Vec::with_capacity(bounds.most);
    while bounds.goes_on(seconds.len(), begin) {
        let start = Instant::now();
        work()?;
        seconds.push(since(start));
    }
    Ok(seconds)
}

/// Fills a buffer; false when the sender is done before the first block of a run.
fn whole(from: &mut impl Read, buffer: &mut [u8], received: usize) -> io::Result<bool> {
    match from.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && received == 0 => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_through_and_both_ends_stop() {
        let found = measure().unwrap();
        assert_eq!(found.len(), 2);
        let Reached::Time(trip) = found[1].reached else { panic!("{found:?}") };
        assert!(trip.likely() > units::Duration::ZERO && found[1].runs >= TRIPS.least);
    }
}
