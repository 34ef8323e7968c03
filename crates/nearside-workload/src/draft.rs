//! A project file while it is written: tables, keys and comments, what is assumed marked as that.

/// The file so far.
#[derive(Default)]
pub(crate) struct Draft {
    pub(crate) text: String,
}

impl Draft {
    pub(crate) fn comment(&mut self, text: &str) {
        let line: String =
            text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
        self.text.push_str(&format!("# {line}\n"));
    }

    pub(crate) fn table(&mut self, name: &str) {
        self.text.push_str(&format!("\n[{name}]\n"));
    }

    pub(crate) fn stated(&mut self, key: &str, value: impl std::fmt::Display) {
        self.text.push_str(&format!("{key} = {value}\n"));
    }

    pub(crate) fn assumed(&mut self, key: &str, value: impl std::fmt::Display, why: &str) {
        self.text.push_str(&format!("{key} = {value}  # assumed: {why}\n"));
    }
}

/// A TOML string.
pub(crate) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// A TOML list of strings.
pub(crate) fn list<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    format!("[{}]", texts.into_iter().map(quoted).collect::<Vec<_>>().join(", "))
}
