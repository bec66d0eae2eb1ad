# Read by bin/ before anything else: variables for the app, such as PORT=8080. HEARTH_VAR is the folder for logs, the pid
# file and the app's data; outside of the release, it outlives it.
