"""What is wrong with a deployment, and who is notified: rules, their state, channels, and the watchdog of the loop itself."""
