"""Dagster's webserver by GraphQL: one client, for everything here that must not import Dagster."""
