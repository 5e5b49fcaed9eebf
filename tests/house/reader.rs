//! Reads a source file as tokens and says what it names: paths, macros, methods, `cfg` switches.
//!
//! Works on tokens and not on a syntax tree, so that `use` trees, bodies and macros are all read the same way; the
//! lexer has taken comments and strings away. `crate`, `self` and `super` are resolved to paths from the crate's root.
//! Does not resolve what an earlier `use` brought in: that `use` was read itself.

use std::iter::Peekable;
use std::vec::IntoIter;

use proc_macro2::{Delimiter, Group, Ident, Spacing, TokenStream, TokenTree};

/// Something a file says.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// `a::b`, and each leaf of `use a::{b, c}`. A path into this crate begins with `crate`; a glob ends in `*`.
    Path(Vec<String>),
    /// `name!`
    Macro(String),
    /// `.name`
    Method(String),
    /// A name inside `cfg(…)`.
    Cfg(String),
}

/// Where it is said.
#[derive(Debug)]
pub struct Spot {
    pub line: usize,
    /// Inside `#[cfg(test)] mod …`.
    pub test: bool,
    pub said: Said,
}

/// All of a file.
#[derive(Debug, Default)]
pub struct Reading {
    pub spots: Vec<Spot>,
    /// Files that another file includes with `#[cfg(test)] mod name;`, without `.rs`.
    pub test_files: Vec<String>,
}

type Tokens = Peekable<IntoIter<TokenTree>>;

/// What holds for the tokens being read.
#[derive(Clone)]
struct Place {
    module: Vec<String>,
    test: bool,
}

impl Reading {
    /// `None` if it is not Rust.
    pub fn of(path: &str, text: &str) -> Option<Self> {
        let tokens: TokenStream = text.parse().ok()?;
        let mut module: Vec<String> = path.trim_end_matches(".rs").split('/').map(String::from).collect();
        if matches!(module.last().map(String::as_str), Some("mod" | "lib")) {
            module.pop();
        }
        let mut reading = Self::default();
        reading.read(tokens, &Place { module, test: false });
        Some(reading)
    }

    fn read(&mut self, tokens: TokenStream, place: &Place) {
        let mut tokens = list(tokens);
        // `#[cfg(test)]` was read and its item was not yet.
        let mut testing = false;
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Punct(p) if p.as_char() == '#' => testing |= self.attribute(&mut tokens, place),
                TokenTree::Punct(p) if p.as_char() == '.' => self.method(&mut tokens, place),
                TokenTree::Punct(p) if p.as_char() == ';' => testing = false,
                TokenTree::Ident(word) if word == "mod" => self.module(&mut tokens, place, testing),
                TokenTree::Ident(word) if word == "pub" => skip_visibility(&mut tokens),
                TokenTree::Ident(word) => self.path(&[], &word, &mut tokens, place),
                TokenTree::Group(group) => {
                    testing &= group.delimiter() != Delimiter::Brace;
                    self.read(group.stream(), place);
                }
                _ => {}
            }
        }
    }

    fn say(&mut self, line: usize, place: &Place, said: Said) {
        self.spots.push(Spot { line, test: place.test, said });
    }

    /// After `#`; whether it is `#[cfg(test)]` or `#[cfg(all(test, …))]`.
    fn attribute(&mut self, tokens: &mut Tokens, place: &Place) -> bool {
        tokens.next_if(|token| is_punct(token, '!'));
        let Some(TokenTree::Group(group)) = tokens.next_if(|token| is_group(token, Delimiter::Bracket)) else {
            return false;
        };
        self.read(group.stream(), place);
        let written: String = group.stream().to_string().split_whitespace().collect();
        written == "cfg(test)" || written.starts_with("cfg(all(test,")
    }

    /// After `.`: a method's name. The dots of a range are followed by anything.
    fn method(&mut self, tokens: &mut Tokens, place: &Place) {
        if tokens.next_if(|token| is_punct(token, '.')).is_some() {
            tokens.next_if(|token| is_punct(token, '.') || is_punct(token, '='));
        } else if let Some(TokenTree::Ident(name)) = tokens.next_if(|token| matches!(token, TokenTree::Ident(_))) {
            self.say(name.span().start().line, place, Said::Method(name.to_string()));
        }
    }

    /// After `mod`.
    fn module(&mut self, tokens: &mut Tokens, place: &Place, testing: bool) {
        let Some(TokenTree::Ident(name)) = tokens.next() else { return };
        let mut inside = place.clone();
        inside.module.push(name.to_string());
        inside.test |= testing;
        if let Some(TokenTree::Group(group)) = tokens.next_if(|token| is_group(token, Delimiter::Brace)) {
            self.read(group.stream(), &inside);
        } else if inside.test {
            self.test_files.push(inside.module.join("/"));
        }
    }

    /// A path and what hangs on it: `use` trees, a macro's `!`, the switches of a `cfg`.
    fn path(&mut self, prefix: &[String], first: &Ident, tokens: &mut Tokens, place: &Place) {
        let line = first.span().start().line;
        let mut path = [prefix, &[first.to_string()]].concat();
        while follows_colons(tokens) {
            tokens.nth(1);
            match tokens.next_if(|token| !is_punct(token, '<')) {
                Some(TokenTree::Ident(name)) => path.push(name.to_string()),
                Some(TokenTree::Punct(p)) if p.as_char() == '*' => path.push("*".into()),
                Some(TokenTree::Group(group)) => return self.tree(&path, &group, place),
                _ => break,
            }
        }
        // `self` alone is a method's receiver.
        if path == ["self"] {
            return;
        }
        let last = path[path.len() - 1].clone();
        let is_macro = tokens.peek().is_some_and(|token| match token {
            TokenTree::Punct(p) => p.as_char() == '!' && p.spacing() == Spacing::Alone,
            _ => false,
        });
        if is_macro {
            tokens.next();
            self.say(line, place, Said::Macro(last.clone()));
        }
        if let (true, Some(TokenTree::Group(group))) = (last == "cfg" || last == "cfg_attr", tokens.peek()) {
            for name in words(group) {
                self.say(line, place, Said::Cfg(name));
            }
        }
        self.say(line, place, Said::Path(resolve(path, &place.module)));
    }

    /// `{b, c::{d, e}}` after `a::`.
    fn tree(&mut self, prefix: &[String], group: &Group, place: &Place) {
        let mut tokens = list(group.stream());
        let mut begun = false;
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Punct(p) if p.as_char() == ',' => begun = false,
                TokenTree::Punct(p) if p.as_char() == '*' => {
                    let glob = [prefix, &["*".into()]].concat();
                    self.say(p.span().start().line, place, Said::Path(resolve(glob, &place.module)));
                }
                // What follows `as` is a name of the file's own.
                TokenTree::Ident(name) if !begun => {
                    begun = true;
                    self.path(prefix, &name, &mut tokens, place);
                }
                _ => {}
            }
        }
    }
}

/// The path from the crate's root, if it leads into this crate.
fn resolve(path: Vec<String>, module: &[String]) -> Vec<String> {
    let mut from = match path[0].as_str() {
        // The program `main.rs` knows the library by its name.
        "crate" | "posthouse" => vec![],
        "self" | "super" => module.to_vec(),
        _ => return path,
    };
    for name in path {
        match name.as_str() {
            "super" => drop(from.pop()),
            "crate" | "posthouse" | "self" => {}
            _ => from.push(name),
        }
    }
    from.insert(0, "crate".into());
    from
}

fn list(tokens: TokenStream) -> Tokens {
    tokens.into_iter().collect::<Vec<_>>().into_iter().peekable()
}

fn is_punct(token: &TokenTree, c: char) -> bool {
    matches!(token, TokenTree::Punct(p) if p.as_char() == c)
}

fn is_group(token: &TokenTree, delimiter: Delimiter) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == delimiter)
}

/// Whether `::` comes next; the lexer gives two puncts, the first joined to the second.
fn follows_colons(tokens: &mut Tokens) -> bool {
    tokens
        .peek()
        .is_some_and(|t| matches!(t, TokenTree::Punct(p) if p.as_char() == ':' && p.spacing() == Spacing::Joint))
}

/// `(crate)`, `(super)`, `(in path)` after `pub` name no room but their own.
fn skip_visibility(tokens: &mut Tokens) {
    tokens.next_if(|token| match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis => {
            let inside: Vec<_> = group.stream().into_iter().map(|token| token.to_string()).collect();
            ["crate", "self", "super", "in"].iter().any(|word| inside.first().is_some_and(|first| first == word))
                && (inside.len() == 1 || inside[0] == "in")
        }
        _ => false,
    });
}

/// All identifiers inside, however deep.
fn words(group: &Group) -> Vec<String> {
    let mut all = Vec::new();
    for token in group.stream() {
        match token {
            TokenTree::Ident(name) => all.push(name.to_string()),
            TokenTree::Group(inner) => all.append(&mut words(&inner)),
            _ => {}
        }
    }
    all
}
