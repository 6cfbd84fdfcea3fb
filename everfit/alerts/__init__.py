"""What is wrong with a deployment, and who is sent word of it: rules, state, channels, and the watchdog of the loop itself."""
