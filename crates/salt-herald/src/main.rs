//! The command: hands its arguments to the library.
fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let args: Vec<String> = std::env::args().collect();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    match args[1].as_str() {
        "replay" => println!(
            "{:?}",
            salt_herald::daemon::replay(args[2].as_ref(), args[3].as_ref())?
        ),
        "run" => {
            let options = salt_herald::config::LoadOptions {
                file: Some(args[2].clone().into()),
                ..Default::default()
            };
            let (config, warnings) =
                salt_herald::config::load(&options).map_err(|p| p.to_string())?;
            salt_herald::daemon::run(config, warnings)?;
        }
        _ => {}
    }
    Ok(())
}
