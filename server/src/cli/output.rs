//! Printing results.

use std::io::{ErrorKind, Write};

use serde::Serialize;

use super::CliError;

/// One line (or block) on standard output.
pub fn line(text: impl AsRef<str>) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    let written = writeln!(out, "{}", text.as_ref()).and_then(|()| out.flush());
    written.map_err(|e| match e.kind() {
        ErrorKind::BrokenPipe => CliError::OutputClosed,
        _ => CliError::failed(format!("cannot write the output: {e}")),
    })
}

/// One value as JSON, on one line: what a script reads.
pub fn json(value: &impl Serialize) -> Result<(), CliError> {
    line(serde_json::to_string(value).map_err(|e| CliError::failed(format!("cannot print as JSON: {e}")))?)
}

/// Columns as wide as their widest cell. The last one is not padded.
pub fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> Result<(), CliError> {
    let mut widths = head.map(|cell| cell.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let print = |cells: [&str; N]| {
        let mut text = String::new();
        for (at, (cell, width)) in cells.iter().zip(widths).enumerate() {
            text.push_str(cell);
            if at + 1 < N {
                text.extend(std::iter::repeat_n(' ', width - cell.chars().count() + 2));
            }
        }
        line(text.trim_end())
    };
    print(head)?;
    for row in rows {
        print(row.each_ref().map(String::as_str))?;
    }
    Ok(())
}

/// Names and values below each other.
pub fn fields(rows: &[(&str, String)]) -> Result<(), CliError> {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in rows {
        line(format!("  {name:width$}  {value}"))?;
    }
    Ok(())
}
