//! Text as quoted-printable (RFC 2045 §6.7), as it comes.
//!
//! Guarantees that how the octets were cut makes no difference, that CRLF stays a line ending and any other CR or LF is
//! encoded, that no line is longer than 76 or ends in a blank, and that none begins with a dot (RFC 2049 §3) or, where it
//! is the rest of a longer one, like the boundary of a multipart.

/// Characters of a line before the `=` of a soft break.
const LINE: usize = 75;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// An encoder on its way.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    /// Characters that stand on the current line.
    column: usize,
    held: Held,
}

/// What cannot be written before the next octet is known.
#[derive(Debug, Default, Clone, Copy)]
enum Held {
    #[default]
    Nothing,
    /// A blank, which may turn out to be the last of its line.
    Blank(u8),
    /// A CR, which may turn out to end the line.
    Cr,
    /// Both.
    BlankCr(u8),
}

impl Encoder {
    /// Appends what can be said already.
    pub(super) fn push(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        for &octet in octets {
            self.step(octet, out);
        }
    }

    /// Appends the rest.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        match std::mem::take(&mut self.held) {
            Held::Nothing => {}
            Held::Blank(blank) => self.encoded(blank, out),
            Held::Cr => self.encoded(b'\r', out),
            Held::BlankCr(blank) => {
                self.plain(blank, out);
                self.encoded(b'\r', out);
            }
        }
    }

    fn step(&mut self, octet: u8, out: &mut Vec<u8>) {
        match (std::mem::take(&mut self.held), octet) {
            (Held::Cr, b'\n') => return self.end_line(out),
            (Held::BlankCr(blank), b'\n') => {
                self.encoded(blank, out);
                return self.end_line(out);
            }
            (Held::Blank(blank), b'\r') => {
                self.held = Held::BlankCr(blank);
                return;
            }
            (Held::Nothing, _) => {}
            (Held::Blank(blank), _) => self.plain(blank, out),
            (Held::Cr, _) => self.encoded(b'\r', out),
            (Held::BlankCr(blank), _) => {
                self.plain(blank, out);
                self.encoded(b'\r', out);
            }
        }
        match octet {
            b'\r' => self.held = Held::Cr,
            b' ' | b'\t' => self.held = Held::Blank(octet),
            b'.' if self.column == 0 => self.encoded(octet, out),
            b'!'..=b'~' if octet != b'=' => self.plain(octet, out),
            _ => self.encoded(octet, out),
        }
    }

    fn end_line(&mut self, out: &mut Vec<u8>) {
        self.column = 0;
        out.extend_from_slice(b"\r\n");
    }

    fn plain(&mut self, octet: u8, out: &mut Vec<u8>) {
        // At the beginning of a line that is ours alone nothing may stand that means something there.
        if self.make_room(1, out) && matches!(octet, b'.' | b'-') {
            return self.encoded(octet, out);
        }
        self.column += 1;
        out.push(octet);
    }

    fn encoded(&mut self, octet: u8, out: &mut Vec<u8>) {
        self.make_room(3, out);
        self.column += 3;
        out.extend_from_slice(&[b'=', HEX[usize::from(octet >> 4)], HEX[usize::from(octet & 15)]]);
    }

    /// Breaks the line if it has to be.
    fn make_room(&mut self, characters: usize, out: &mut Vec<u8>) -> bool {
        let full = self.column + characters > LINE;
        if full {
            out.push(b'=');
            self.end_line(out);
        }
        full
    }
}
