//! Diagnostics as rustc shows them: file, line, column, the text underlined, and the remedy.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level as Title, Renderer, Snippet};

use crate::diagnostic::{Diagnostic, Label, Level, SourceFile, char_boundary};

/// Diagnostics as text for people, one after the other, with a newline at the end. `files` are those of
/// [`crate::Loaded`]; `color` is for terminals.
#[must_use]
pub fn render(diagnostics: &[Diagnostic], files: &[SourceFile], color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut text = String::new();
    for diagnostic in diagnostics {
        text.push_str(&renderer.render(&report(diagnostic, files)));
        text.push_str("\n\n");
    }
    if text.ends_with("\n\n") {
        text.pop();
    }
    text
}

fn report<'a>(diagnostic: &'a Diagnostic, files: &'a [SourceFile]) -> Vec<Group<'a>> {
    let title = match diagnostic.level {
        Level::Error => Title::ERROR,
        Level::Warning => Title::WARNING,
    };
    let mut group = Group::with_title(title.primary_title(&diagnostic.message).id(diagnostic.code));
    let mut shown: Vec<usize> = Vec::new();
    for label in &diagnostic.labels {
        if let Some(file) = files.get(label.file).filter(|_| !shown.contains(&label.file)) {
            shown.push(label.file);
            group = group.element(snippet(diagnostic, label.file, file));
        }
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Title::HELP.message(help));
    }
    vec![group]
}

fn snippet<'a>(
    diagnostic: &'a Diagnostic,
    index: usize,
    file: &'a SourceFile,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let annotations = diagnostic.labels.iter().enumerate().filter(|(_, label)| label.file == index);
    let annotations = annotations.map(|(position, label)| {
        let kind = if position == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
        let annotation = kind.span(visible(&file.text, label));
        if label.text.is_empty() { annotation } else { annotation.label(&label.text) }
    });
    Snippet::source(&file.text).path(&file.name).annotations(annotations)
}

/// The label's bytes, within the text and on character boundaries.
fn visible(text: &str, label: &Label) -> Range<usize> {
    let start = char_boundary(text, label.span.start);
    let end = char_boundary(text, label.span.end).max(start);
    start..end
}
