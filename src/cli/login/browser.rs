//! Whether this machine has a browser to open, and opening it.
//!
//! Errs on the side of not opening: an address that is printed can always be opened by hand, while a text browser that
//! takes the terminal, or one on a screen that nobody looks at, is in the way.

use std::collections::BTreeMap;
use std::path::Path;

/// Where the command runs, as far as it matters to whoever has a browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// On a desktop.
    Desktop,
    /// On a machine somebody has reached by ssh.
    Ssh,
    /// In a container.
    Container,
    /// On any other machine without a display.
    Console,
}

/// Judges by the environment; `is_container` says that the file system shows one, `system` is the operating system.
pub(super) fn place(environment: &BTreeMap<String, String>, is_container: bool, system: &str) -> Place {
    let is_set = |name: &str| environment.get(name).is_some_and(|value| !value.is_empty());
    let ssh = ["SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"].into_iter().any(is_set);
    if is_container || is_set("container") || is_set("KUBERNETES_SERVICE_HOST") {
        return Place::Container;
    }
    // These always have a display, unless it is another one than that of whoever types.
    let always = ["macos", "windows"].contains(&system) || is_set("WSL_DISTRO_NAME");
    let display = is_set("DISPLAY") || is_set("WAYLAND_DISPLAY") || always && !ssh;
    match (display, ssh) {
        (true, _) => Place::Desktop,
        (false, true) => Place::Ssh,
        (false, false) => Place::Console,
    }
}

/// What Docker, Podman and their like leave behind.
pub(super) fn is_container() -> bool {
    ["/.dockerenv", "/run/.containerenv"].into_iter().any(|path| Path::new(path).exists())
}

/// Opens it; whether something took it. The browser lives on without us.
pub(super) async fn open(address: &str) -> bool {
    let address = address.to_owned();
    // It looks for a moment whether what it started fails at once.
    tokio::task::spawn_blocking(move || open::that_detached(address).is_ok()).await.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(variables: &[(&str, &str)], is_container: bool, system: &str) -> Place {
        let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        place(&environment, is_container, system)
    }

    #[test]
    fn a_browser_is_opened_only_where_somebody_can_see_it() {
        let ssh = ("SSH_CONNECTION", "192.0.2.7 50000 192.0.2.1 22");
        for (variables, is_container, system, expected) in [
            (&[("DISPLAY", ":0")][..], false, "linux", Place::Desktop),
            (&[("WAYLAND_DISPLAY", "wayland-0")], false, "linux", Place::Desktop),
            (&[("DISPLAY", "")], false, "linux", Place::Console),
            (&[], false, "linux", Place::Console),
            (&[ssh], false, "linux", Place::Ssh),
            (&[ssh, ("DISPLAY", "localhost:10.0")], false, "linux", Place::Desktop),
            (&[], false, "macos", Place::Desktop),
            (&[ssh], false, "macos", Place::Ssh),
            (&[], false, "windows", Place::Desktop),
            (&[("WSL_DISTRO_NAME", "Debian")], false, "linux", Place::Desktop),
            (&[("DISPLAY", ":0")], true, "linux", Place::Container),
            (&[("container", "podman")], false, "linux", Place::Container),
        ] {
            assert_eq!(at(variables, is_container, system), expected, "{variables:?} {system}");
        }
    }
}
