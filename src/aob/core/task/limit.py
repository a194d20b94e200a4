"""The limits of tasks and plans."""

from typing import Final

ID_CHARS_MAX: Final = 200  # of the id of a task or a plan
TYPE_CHARS_MAX: Final = 100  # of a type of tasks or plans
REQUEST_BYTES_MAX: Final = 256 * 1024  # of a request, as canonical JSON
RESULT_BYTES_MAX: Final = 256 * 1024  # of the data of one result, as canonical JSON
PLAN_BYTES_MAX: Final = 384 * 1024  # of all results that a plan shows its planner; further ones are told without data
PLAN_SHORT_BYTES_MAX: Final = 128 * 1024  # of the results without data; further ones are only `{"omitted": true}`
FAN_OUT: Final = 100  # entries of one round, unless the planner's type says otherwise
FAN_OUT_MAX: Final = 1_000
ROUNDS: Final = 16  # rounds of one plan, unless its type says otherwise
ROUNDS_MAX: Final = 1_000
TASKS: Final = 1_000  # tasks of one plan, over all rounds, unless its type says otherwise
TASKS_MAX: Final = 10_000
TRIES: Final = 3  # answers of a planner for one round, until one is a plan
WATCHERS_MAX: Final = 100  # plans that wait for the same task
MESSAGE_CHARS_MAX: Final = 2_000  # of an error in a result
