"""What plans, runs and the deletion log say, as text for a person and as JSON for a program."""
