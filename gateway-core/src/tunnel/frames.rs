//! [`Frames`]: where the frames of a WebSocket begin and end (RFC 6455 section 5.2).
//!
//! A tunnel looks at no message. It has to know where one frame ends only to say good-bye there.

use crate::random::Random;

/// The frames of one direction, as far as they came.
#[derive(Debug, Default)]
pub(super) struct Frames {
    header: [u8; LONGEST_HEADER],
    have: usize,
    /// Bytes of the payload that are still to come.
    left: u64,
    /// A whole Close frame passed: nothing may follow it.
    is_closed: bool,
}

impl Frames {
    /// Follows these bytes, and says how many of them it took: all, or those to the end of the frame that they are
    /// within.
    pub(super) fn follow(&mut self, bytes: &[u8], to_the_end_of_a_frame: bool) -> usize {
        let mut taken = 0;
        while taken < bytes.len() && !(to_the_end_of_a_frame && self.is_between()) {
            taken += self.step(&bytes[taken..]);
        }
        taken
    }

    /// Whether no frame is open.
    pub(super) fn is_between(&self) -> bool {
        self.have == 0
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Takes one byte of a header, or all there is of a payload.
    fn step(&mut self, bytes: &[u8]) -> usize {
        let is_whole = self.have >= 2 && self.have == self.header_length();
        if is_whole {
            let taken = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
            self.left -= taken as u64;
            self.end_if_whole();
            return taken;
        }
        self.header[self.have] = bytes[0];
        self.have += 1;
        if self.have >= 2 && self.have == self.header_length() {
            self.left = self.payload_length();
            self.end_if_whole();
        }
        1
    }

    fn end_if_whole(&mut self) {
        if self.left == 0 {
            self.is_closed |= self.header[0] & 0x0f == CLOSE;
            self.have = 0;
        }
    }

    fn header_length(&self) -> usize {
        let mask = if self.header[1] & 0x80 == 0 { 0 } else { 4 };
        2 + self.extended_length() + mask
    }

    fn extended_length(&self) -> usize {
        match self.header[1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        }
    }

    fn payload_length(&self) -> u64 {
        match self.extended_length() {
            0 => u64::from(self.header[1] & 0x7f),
            bytes => self.header[2..2 + bytes].iter().fold(0, |length, &byte| length << 8 | u64::from(byte)),
        }
    }
}

/// "Going away" for the client of a WebSocket.
pub(super) const GOING_AWAY: [u8; 4] = [0x80 | CLOSE, 2, 0x03, 0xe9];

/// The same for a server, which takes masked frames only (RFC 6455 section 5.3).
pub(super) fn masked_going_away(random: &Random) -> [u8; 8] {
    let mask = (random.next() as u32).to_be_bytes();
    let [first, length, high, low] = GOING_AWAY;
    [first, 0x80 | length, mask[0], mask[1], mask[2], mask[3], high ^ mask[0], low ^ mask[1]]
}

const CLOSE: u8 = 8;

/// Two bytes, a length of eight, a mask of four.
const LONGEST_HEADER: usize = 14;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(opcode: u8, length: usize, masked: bool) -> Vec<u8> {
        let mask = if masked { 0x80 } else { 0 };
        let mut bytes = vec![0x80 | opcode];
        match length {
            0..126 => bytes.push(mask | length as u8),
            126..65_536 => {
                bytes.push(mask | 126);
                bytes.extend((length as u16).to_be_bytes());
            }
            _ => {
                bytes.push(mask | 127);
                bytes.extend((length as u64).to_be_bytes());
            }
        }
        bytes.extend(if masked { &[1, 2, 3, 4][..] } else { &[] });
        bytes.extend(std::iter::repeat_n(0x88, length));
        bytes
    }

    #[test]
    fn a_good_bye_is_a_frame_that_closes() {
        let masked = masked_going_away(&Random::seeded(1));
        assert_eq!([masked[6] ^ masked[2], masked[7] ^ masked[3]], 1001_u16.to_be_bytes());
        for good_bye in [&GOING_AWAY[..], &masked] {
            let mut frames = Frames::default();
            assert_eq!(frames.follow(good_bye, false), good_bye.len());
            assert!(frames.is_between() && frames.is_closed());
        }
    }

    proptest! {
        #[test]
        fn ends_are_found_in_whatever_pieces_the_frames_come(
            sent in prop::collection::vec(
                (0..8_u8, prop_oneof![0..130_usize, 65_530..65_540_usize], any::<bool>()),
                1..5,
            ),
            pieces in prop::collection::vec(1..9_000_usize, 1..8),
        ) {
            let sent: Vec<Vec<u8>> = sent.iter().map(|&(op, length, masked)| frame(op, length, masked)).collect();
            let all = sent.concat();
            let mut frames = Frames::default();
            let (mut at, mut ends) = (0, Vec::new());
            for piece in pieces.iter().cycle() {
                if at == all.len() {
                    break;
                }
                let piece = &all[at..all.len().min(at + piece)];
                // The first byte opens a frame, if none is open.
                let taken = match frames.is_between() {
                    true => frames.follow(&piece[..1], false),
                    false => frames.follow(piece, true),
                };
                prop_assert!(taken > 0);
                at += taken;
                if frames.is_between() {
                    ends.push(at);
                }
            }
            let mut end = 0;
            let expected: Vec<usize> = sent.iter().map(|frame| { end += frame.len(); end }).collect();
            prop_assert_eq!(ends, expected);
            prop_assert!(!frames.is_closed());
        }
    }
}
