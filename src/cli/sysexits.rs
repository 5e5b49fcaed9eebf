//! The exit codes of all commands, as in sysexits.h.
//!
//! What each means to a command is said in its help; which cause of a failed test has which is decided in `test`.
//! Success is 0 and not listed.

/// `EX_USAGE`: wrong arguments.
pub(super) const EX_USAGE: u8 = 64;
/// `EX_DATAERR`: the message, its sender or its recipient was refused; or the vault is damaged.
pub(super) const EX_DATAERR: u8 = 65;
/// `EX_NOHOST`: the host name has no address.
pub(super) const EX_NOHOST: u8 = 68;
/// `EX_UNAVAILABLE`: something needed is not there, such as a port, or somebody who answers.
pub(super) const EX_UNAVAILABLE: u8 = 69;
/// `EX_SOFTWARE`: a fault of the program or of this machine.
pub(super) const EX_SOFTWARE: u8 = 70;
/// `EX_CANTCREAT`: a directory or file of ours cannot be made or written.
pub(super) const EX_CANTCREAT: u8 = 73;
/// `EX_IOERR`: the output could not be written, or a file of ours not read or written.
pub(super) const EX_IOERR: u8 = 74;
/// `EX_TEMPFAIL`: it may work later.
pub(super) const EX_TEMPFAIL: u8 = 75;
/// `EX_NOPERM`: the account may not.
pub(super) const EX_NOPERM: u8 = 77;
/// `EX_CONFIG`: the configuration is wrong, or does not fit.
pub(super) const EX_CONFIG: u8 = 78;
