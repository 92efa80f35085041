"""Workflow execution: a DAG of steps, retries and the execution's state machine."""
