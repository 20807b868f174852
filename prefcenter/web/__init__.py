"""HTTP: the application, who calls it, its limits, its logs and metrics. It is handed its services."""
