//! A line being edited: UTF-8, wide characters, history, completion. Knows nothing of the terminal.

use unicode_width::UnicodeWidthChar;

/// Lines remembered.
const REMEMBERED_MAX: usize = 200;

/// A key that edits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edit {
    Insert(char),
    Backspace,
    Delete,
    Left,
    Right,
    WordLeft,
    WordRight,
    Home,
    End,
    EraseWord,
    EraseToStart,
    EraseToEnd,
    Older,
    Newer,
}

/// The line, where the cursor is, and the lines before.
#[derive(Debug, Default)]
pub(super) struct Editor {
    line: Vec<char>,
    cursor: usize,
    remembered: Vec<String>,
    /// How far back in `remembered`, and the line left behind.
    recalled: Option<(usize, Vec<char>)>,
}

impl Editor {
    pub(super) fn text(&self) -> String {
        self.line.iter().collect()
    }

    pub(super) fn edit(&mut self, edit: Edit) {
        match edit {
            Edit::Insert(letter) => {
                self.line.insert(self.cursor, letter);
                self.cursor += 1;
            }
            Edit::Backspace => {
                let to = self.cursor;
                self.edit(Edit::Left);
                self.line.drain(self.cursor..to);
            }
            Edit::Delete => {
                let from = self.cursor;
                self.edit(Edit::Right);
                self.line.drain(from..self.cursor);
                self.cursor = from;
            }
            Edit::Left => self.cursor = self.letter_before(self.cursor),
            Edit::Right => {
                let rest = self.line.iter().skip(self.cursor + 1);
                let marks = rest.take_while(|letter| letter.width() == Some(0)).count();
                self.cursor = (self.cursor + 1 + marks).min(self.line.len());
            }
            Edit::WordLeft => self.cursor = self.word_before(),
            Edit::WordRight => {
                let rest = &self.line[self.cursor..];
                let spaces = rest.iter().take_while(|letter| letter.is_whitespace()).count();
                let word = rest[spaces..].iter().take_while(|letter| !letter.is_whitespace()).count();
                self.cursor += spaces + word;
            }
            Edit::Home => self.cursor = 0,
            Edit::End => self.cursor = self.line.len(),
            Edit::EraseWord => {
                let from = self.word_before();
                self.line.drain(from..self.cursor);
                self.cursor = from;
            }
            Edit::EraseToStart => {
                self.line.drain(..self.cursor);
                self.cursor = 0;
            }
            Edit::EraseToEnd => self.line.truncate(self.cursor),
            Edit::Older => self.recall(1),
            Edit::Newer => self.recall(-1),
        }
    }

    /// The line is complete: gives it away and remembers it.
    pub(super) fn submit(&mut self) -> String {
        let text = self.text();
        if !text.trim().is_empty() && self.remembered.last() != Some(&text) {
            self.remembered.push(text.clone());
            if self.remembered.len() > REMEMBERED_MAX {
                self.remembered.remove(0);
            }
        }
        (self.line, self.cursor, self.recalled) = (Vec::new(), 0, None);
        text
    }

    /// Completes what is before the cursor from `candidates`, whole lines each; as far as they agree. Gives those that
    /// fit when there are several.
    pub(super) fn complete(&mut self, candidates: &[String]) -> Vec<String> {
        let typed: String = self.line[..self.cursor].iter().collect();
        let fitting: Vec<&String> = candidates.iter().filter(|line| line.starts_with(&typed)).collect();
        let Some(first) = fitting.first() else { return Vec::new() };
        let agreed = first
            .char_indices()
            .map(|(at, letter)| at + letter.len_utf8())
            .take_while(|end| {
                fitting.iter().all(|line| line.as_bytes().get(..*end) == first.as_bytes().get(..*end))
            })
            .last()
            .unwrap_or(0);
        for letter in first[typed.len()..agreed.max(typed.len())].chars() {
            self.edit(Edit::Insert(letter));
        }
        if fitting.len() > 1 { fitting.into_iter().cloned().collect() } else { Vec::new() }
    }

    /// The part of the line that fits `columns`, and the column of the cursor in it.
    pub(super) fn view(&self, columns: usize) -> (String, usize) {
        // From the cursor back, so that the length of a long line does not matter.
        let (mut from, mut before_cursor) = (self.cursor, 0);
        for letter in self.line[..self.cursor].iter().rev() {
            let wider = before_cursor + letter.width().unwrap_or(1);
            if wider >= columns.max(2) {
                break;
            }
            (from, before_cursor) = (from - 1, wider);
        }
        let mut text = String::new();
        let mut used = 0;
        for letter in &self.line[from..] {
            used += letter.width().unwrap_or(1);
            if used > columns {
                break;
            }
            text.push(*letter);
        }
        (text, before_cursor)
    }

    fn letter_before(&self, place: usize) -> usize {
        let mut place = place.saturating_sub(1);
        while place > 0 && self.line[place].width() == Some(0) {
            place -= 1;
        }
        place
    }

    fn word_before(&self) -> usize {
        let before = &self.line[..self.cursor];
        let spaces = before.iter().rev().take_while(|letter| letter.is_whitespace()).count();
        let word = before.iter().rev().skip(spaces).take_while(|letter| !letter.is_whitespace()).count();
        self.cursor - spaces - word
    }

    fn recall(&mut self, step: isize) {
        let back = self.recalled.as_ref().map_or(0, |(back, _)| *back);
        let Some(back) = back.checked_add_signed(step).filter(|back| *back <= self.remembered.len()) else {
            return;
        };
        let left_behind = match self.recalled.take() {
            Some((_, line)) => line,
            None => std::mem::take(&mut self.line),
        };
        if back == 0 {
            self.line = left_behind;
        } else {
            self.line = self.remembered[self.remembered.len() - back].chars().collect();
            self.recalled = Some((back, left_behind));
        }
        self.cursor = self.line.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> Editor {
        let mut editor = Editor::default();
        text.chars().for_each(|letter| editor.edit(Edit::Insert(letter)));
        editor
    }

    #[test]
    fn a_letter_with_its_accents_is_erased_as_one() {
        let mut editor = typed("ae\u{301}");
        editor.edit(Edit::Backspace);
        assert_eq!(editor.text(), "a");
    }

    #[test]
    fn words_are_crossed_and_erased_whole() {
        let mut editor = typed("one two three");
        editor.edit(Edit::WordLeft);
        editor.edit(Edit::EraseWord);
        assert_eq!(editor.text(), "one three");
        editor.edit(Edit::WordRight);
        editor.edit(Edit::EraseToStart);
        assert_eq!(editor.text(), "");
    }

    #[test]
    fn wide_letters_scroll_by_their_columns() {
        let editor = typed("日本語");
        assert_eq!(editor.view(80), ("日本語".into(), 6));
        assert_eq!(editor.view(5), ("本語".into(), 4));
    }

    #[test]
    fn of_a_line_too_long_to_show_the_part_around_the_cursor_is_seen() {
        let mut editor = typed("0123456789");
        assert_eq!(editor.view(4), ("789".into(), 3));
        (0..3).for_each(|_| editor.edit(Edit::Left));
        assert_eq!(editor.view(4), ("4567".into(), 3));
        editor.edit(Edit::Home);
        assert_eq!(editor.view(4), ("0123".into(), 0));
    }

    #[test]
    fn older_lines_come_back_and_the_unfinished_one_is_kept() {
        let mut editor = typed("first");
        assert_eq!(editor.submit(), "first");
        typed("").edit(Edit::Older);
        editor.edit(Edit::Insert('x'));
        editor.edit(Edit::Older);
        assert_eq!(editor.text(), "first");
        editor.edit(Edit::Older);
        assert_eq!(editor.text(), "first");
        editor.edit(Edit::Newer);
        assert_eq!(editor.text(), "x");
    }

    #[test]
    fn completion_goes_as_far_as_the_candidates_agree() {
        let candidates = ["/to bob".into(), "/to boris".into(), "/list".into()];
        let mut editor = typed("/t");
        assert_eq!(editor.complete(&candidates).len(), 2);
        assert_eq!(editor.text(), "/to bo");
        let mut editor = typed("/l");
        assert!(editor.complete(&candidates).is_empty());
        assert_eq!(editor.text(), "/list");
    }
}
