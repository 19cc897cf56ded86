//! Compile again when the web app was built anew: the files of `admin-ui/dist` have other names then, which the compiler cannot know.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../admin-ui/dist");
}
