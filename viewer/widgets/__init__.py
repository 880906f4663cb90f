"""Small widgets that know jobs and messages, but no scene."""
