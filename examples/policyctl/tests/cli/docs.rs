//! `docs/policyctl.md` shows what the program does: its blocks of commands are run and what they print is compared.

use crate::{DATA, run};

/// A block begins with ```` ```console ````; a line `$ policyctl ...` is a command, what follows is what it prints on both streams, and
/// a last line such as `[exit code 1]` says how it exits unless by 0.
#[test]
fn the_worked_examples_are_true() {
    let page = include_str!("../../../../docs/policyctl.md");
    let mut commands = 0;
    for block in page.split("```console\n").skip(1) {
        let (block, _) = block.split_once("```").unwrap();
        for shown in block.split("$ policyctl ").skip(1) {
            let (command, printed) = shown.split_once('\n').unwrap();
            let ran = run(command, &[], DATA.as_ref());
            let exit =
                if ran.code == 0 { String::new() } else { format!("[exit code {}]\n", ran.code) };
            let got = format!("{}{}{exit}", ran.stderr, ran.stdout);
            assert_eq!(got.trim_end(), printed.trim_end(), "policyctl {command}");
            commands += 1;
        }
    }
    assert!(commands >= 8, "{commands} commands: is the page still written so?");
}
