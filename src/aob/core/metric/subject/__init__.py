"""What subjects did flows in, touch by touch; what that changes in funnels, sessions and joins flows out, signed.

A subject is a shopper, a session, an order: whatever the key of the metric names. The order of arrival plays no part: a
touch lies where its event time says, and what the subject's history gave before is taken back.
"""

from aob.core.metric.subject.answer import answer_of, width_of
from aob.core.metric.subject.fold import SUBJECTS_MAX, TOUCHES_MAX, SubjectFold
from aob.core.metric.subject.late import Late, Refolded, Refolding
from aob.core.metric.subject.touch import BOTH, Contribution, Touch

__all__ = [
    "BOTH", "SUBJECTS_MAX", "TOUCHES_MAX", "Contribution", "Late", "Refolded", "Refolding", "SubjectFold", "Touch",
    "answer_of", "width_of",
]  # fmt: skip
