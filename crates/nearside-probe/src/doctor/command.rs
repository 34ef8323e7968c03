//! Words of commands that people are told to run, as a shell reads them.
//!
//! Source: POSIX, Shell Command Language, 2.2.2 (single quotes).

/// A word as it has to be written: paths with a space in them are one word, too.
pub(super) fn quoted(word: &str) -> String {
    let plain = |sign: char| sign.is_ascii_alphanumeric() || "/._-+:@%=,".contains(sign);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_the_word_that_was_meant() {
        assert_eq!(quoted("/home/ada/.venv"), "/home/ada/.venv");
        for word in ["/home/ada/my project", "it's", "$(rm -r x)", "a;b", "~", "", "\"", "*"] {
            let mut shell = std::process::Command::new("sh");
            let printed = shell.args(["-c", &format!("printf %s {}", quoted(word))]).output();
            assert_eq!(String::from_utf8(printed.unwrap().stdout).unwrap(), word);
        }
    }
}
