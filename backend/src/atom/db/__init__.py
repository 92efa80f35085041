"""The database: declarative base, sessions, column types, migrations."""
