//! Switches on the loopback device of a network namespace, which is off in a new one: a single
//! `RTM_NEWLINK` message of rtnetlink (`man 7 rtnetlink`, `linux/rtnetlink.h`).

use std::io;

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with,
};

/// The loopback device is the first of every network namespace.
const LOOPBACK: i32 = 1;
const RTM_NEWLINK: u16 = 16;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLMSG_ERROR: u16 = 2;
const IFF_UP: u32 = 1;
/// A header of 16 bytes and a description of a device, of 16 bytes too.
const LENGTH: u32 = 32;

/// Programs of this namespace can reach each other from now on.
pub(crate) fn switch_on() -> io::Result<()> {
    // Without a protocol that is rtnetlink, which is number 0.
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    send(&socket, &request(), SendFlags::empty())?;
    let mut answer = [0; 128];
    let (length, _) = recv(&socket, &mut answer, RecvFlags::empty())?;
    accepted(&answer[..length.min(answer.len())])
}

/// "The device of that number is to be up", to be acknowledged.
fn request() -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(LENGTH.to_ne_bytes());
    bytes.extend(RTM_NEWLINK.to_ne_bytes());
    bytes.extend((NLM_F_REQUEST | NLM_F_ACK).to_ne_bytes());
    let (sequence, sender) = (1u32, 0u32);
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend(sender.to_ne_bytes());
    let family_and_type = 0u32;
    bytes.extend(family_and_type.to_ne_bytes());
    bytes.extend(LOOPBACK.to_ne_bytes());
    let (flags, changed) = (IFF_UP, IFF_UP);
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(changed.to_ne_bytes());
    bytes
}

/// An acknowledgement is an error message with the number 0; others are negative.
fn accepted(answer: &[u8]) -> io::Result<()> {
    let short = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let kind = answer.get(4..6).and_then(|bytes| bytes.try_into().ok()).ok_or_else(short)?;
    let number = answer.get(16..20).and_then(|bytes| bytes.try_into().ok()).ok_or_else(short)?;
    match (u16::from_ne_bytes(kind), i32::from_ne_bytes(number)) {
        (NLMSG_ERROR, 0) => Ok(()),
        (NLMSG_ERROR, number) => Err(io::Error::from_raw_os_error(-number)),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_as_long_as_they_say() {
        assert_eq!(request().len(), LENGTH as usize);
    }

    #[test]
    fn a_refusal_is_told_from_an_acknowledgement() {
        let answer = |kind: u16, number: i32| {
            let head = [36u32.to_ne_bytes().as_slice(), &kind.to_ne_bytes(), &[0; 10]].concat();
            accepted(&[head.as_slice(), &number.to_ne_bytes(), &[0; 16]].concat())
        };
        assert!(answer(NLMSG_ERROR, 0).is_ok());
        let refused = answer(NLMSG_ERROR, -1).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
        assert!(answer(3, 0).is_err() && accepted(&[0; 7]).is_err());
    }
}
