//! What a shell command names: the programs that it starts, the words that may be files, the
//! variables that it reads. Read as a person would, not as a shell does: quotes and operators are
//! understood, expansions are not.

/// What a command names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Named {
    /// The first word of every simple command.
    pub(crate) programs: Vec<String>,
    /// Every other word, and what follows a `=` in it.
    pub(crate) words: Vec<String>,
    /// Variables, as in `$HOME`.
    pub(crate) variables: Vec<String>,
}

/// Words that start another program, which is what counts.
const PREFIXES: [&str; 8] = ["exec", "env", "time", "nohup", "nice", "command", "!", "then"];
/// Words of the shell itself.
const BUILTINS: [&str; 24] = [
    "cd", "echo", "export", "set", "test", "[", "true", "false", "if", "fi", "do", "done", "else",
    "for", "while", "case", "esac", "{", "}", ":", ".", "source", "exit", "printf",
];

/// Reads a command.
pub(crate) fn named(command: &str) -> Named {
    let mut named = Named { variables: variables(command), ..Named::default() };
    for words in simple_commands(command) {
        let mut words = words.into_iter().skip_while(|word| is_passed_over(word));
        if let Some(program) = words.next()
            && !BUILTINS.contains(&program.as_str())
        {
            named.programs.push(program);
        }
        for word in words {
            if let Some((_, value)) = word.split_once('=') {
                named.words.push(value.to_owned());
            }
            named.words.push(word);
        }
    }
    named
}

/// Assignments before a program and words that only start it.
fn is_passed_over(word: &str) -> bool {
    let assigns = word.split_once('=').is_some_and(|(name, _)| is_name(name));
    assigns || PREFIXES.contains(&word)
}

fn is_name(text: &str) -> bool {
    text.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_')
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

/// The words of every simple command.
fn simple_commands(command: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut letters = command.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), close) if open == close => quote = None,
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => {
                // The end of a line goes on with the next.
                match letters.next() {
                    Some('\n') | None => {}
                    Some(escaped) => word.get_or_insert_default().push(escaped),
                }
            }
            (None, ' ' | '\t' | '<' | '>') => end_word(&mut word, &mut commands),
            (None, ';' | '&' | '|' | '(' | ')' | '\n' | '`') => {
                end_word(&mut word, &mut commands);
                commands.push(Vec::new());
            }
            (_, other) => word.get_or_insert_default().push(other),
        }
    }
    end_word(&mut word, &mut commands);
    commands.retain(|words| !words.is_empty());
    commands
}

fn end_word(word: &mut Option<String>, commands: &mut [Vec<String>]) {
    if let (Some(word), Some(last)) = (word.take(), commands.last_mut()) {
        last.push(word);
    }
}

/// The variables that a command reads.
fn variables(command: &str) -> Vec<String> {
    let after_dollar = command.split('$').skip(1);
    let name = |text: &str| {
        let text = text.strip_prefix('{').unwrap_or(text);
        let is_letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let end = text.find(|letter| !is_letter(letter)).unwrap_or(text.len());
        let name = &text[..end];
        is_name(name).then(|| name.to_owned())
    };
    let mut names: Vec<_> = after_dollar.filter_map(name).collect();
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_words_and_variables_are_told_apart() {
        let named = named(
            "cd src && A=1 python train.py --config=conf.yaml 'data file.csv' > out.txt; \
             time jq .x in.json | env sort -o \"$HOME/${OUT}\" \\\n next",
        );
        assert_eq!(named.programs, ["python", "jq", "sort"]);
        for word in ["train.py", "conf.yaml", "data file.csv", "out.txt", "in.json", "next", "src"]
        {
            assert!(named.words.iter().any(|found| found == word), "{word}: {:?}", named.words);
        }
        assert_eq!(named.variables, ["HOME", "OUT"]);
    }

    #[test]
    fn odd_commands_are_read_without_complaint() {
        for command in ["", "'", "\"\\", "$", "${", "a\\", "||&&;;", "=x y", "(((`"] {
            named(command);
        }
        assert_eq!(named("=x y").programs, ["=x"]);
    }
}
