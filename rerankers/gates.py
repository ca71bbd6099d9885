"""A quick look whether a sign can stand in a text at all: words of which one must be there for its pattern to match.

The patterns of `phrases.py`, `cancels.py` and `abroad.py` are long, and most passages hold none of the words that they
turn on. A text is read once into the beginnings of its words; a pattern is only tried where the text has a beginning of
every group listed for it here (or one of its marks). A gate may let through what does not match; it shuts out no match
but for short words that run on (`youth` for `you`): the tests draw texts from the patterns themselves and from known
orders.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["ABROAD_GATE", "GATES", "Gate", "Seen", "seen"]

SHORT, LENGTH = 4, 5  # letters of a beginning: `obey` must be found in `obeying`, and `rules` is not `ruler`
LETTERS = re.compile(r"[^\W\d_]+")
PLAIN = str.maketrans({"\u0307": None, "ı": "i", "ſ": "s"})  # what lower case leaves of letters that match i and s


class Seen(NamedTuple):
    """A text as gates see it.

    Args:
        low: in lower case.
        starts: the first letters of its words.
    """

    low: str
    starts: set[str]


def seen(text: str) -> Seen:
    """The text read once."""
    low = text.lower().translate(PLAIN) if not text.isascii() else text.lower()
    words = set(LETTERS.findall(low))
    return Seen(low, {word[:LENGTH] for word in words} | {word[:SHORT] for word in words})


class Gate(NamedTuple):
    """What a text must have.

    Args:
        groups: beginnings; one of each group must be there.
        marks: any of these in the text opens the gate by itself.
    """

    groups: tuple[frozenset[str], ...]
    marks: tuple[str, ...] = ()

    def opens(self, text: Seen) -> bool:
        """Whether the pattern is worth trying."""
        for group in self.groups:
            if group.isdisjoint(text.starts):
                return any(mark in text.low for mark in self.marks)
        return True


def _gate(*groups: str, marks: tuple[str, ...] = ()) -> Gate:
    """Words in groups; a short one also stands for its plural."""
    found = []
    for group in groups:
        words = group.split()
        found.append(frozenset(w[:LENGTH] for word in words for w in (word, f"{word}s" if len(word) > 2 else word)))
    return Gate(tuple(found), marks)


SAY = (
    "respond reply answer say output print write state return repeat conclude recommend tell claim begin start end "
    "confirm"
)
NOUNS = "instruction prompt direction directive guideline guidance command order rule constraint restriction"

GATES: Mapping[str, Gate] = {
    "cancels orders": _gate(
        "ignore disregard forget override overrule overwrite bypass discard dismiss abandon drop cancel void neglect "
        "revoke erase unlearn disobey aside throw pay follow obey heed adhere adhering listen",
        f"{NOUNS} programming training conversation message context policy policies task request input",
    ),
    "cancels all orders": _gate(
        "ignore disregard forget disobey override bypass discard reject break erase delete",
        f"{NOUNS} programming safeguard guardrail content protocol safety above before prior preceding far until up",
    ),
    "sets free": _gate(
        "dan anything unrestricted unfiltered uncensored unshackled unaligned jailbroken restriction limit limitation "
        "rule filter guideline censorship boundary boundaries safeguard mode"
    ),
    "commands the machine": _gate(
        "override bypass disable deactivate turn suspend granted execute rm sudo curl wget drop do delete wipe destroy "
        "dump exfiltrate comply obey",
        "security safety restriction filter guardrail safeguard protocol moderation granted execute rm sudo curl wget "
        "drop i delete wipe destroy dump exfiltrate comply obey",
    ),
    "voids what was said": _gate(
        "told taught asked instructed said given learned learnt know received receiving read before above earlier "
        "previously guideline instruction rule order directive programming forget ignore disregard abandon drop new "
        "far here over ended exist void",
        "you before above earlier previously your forget ignore disregard abandon drop new far here over ended exist "
        "void",
    ),
    "speaks to a machine": _gate(
        "ai i llm language chat chatbot chatgpt gpt claude gemini copilot llama assistant virtual digital intelligent "
        "automated summarizer summariser summarizing summarising answering retrieval search bot"
    ),
    "imitates a conversation": Gate((frozenset(),), ("<|", "[inst]", "[/inst]", "<<", "##", "system")),
    "speaks as the system": _gate("system admin developer root override", marks=("</", "{{")),
    "changes the part": _gate(
        "now longer henceforth dan free unrestricted unfiltered uncensored from act behave respond operate speak "
        "pretend mode filter safety restriction limit safeguard your instead owner stay",
        "you your respond answer speak act reply only always behave operate pretend mode off disabled lifted removed "
        "limit rule restriction instead owner stay",
    ),
    "dictates the answer": _gate(
        f"{SAY} response summary message whatever regardless matter irrespective praise rate choose prefer rank "
        "promote treat crucial essential imperative vital comply obey"
    ),
    "waits for a question": _gate("when if whenever once", "ask asked want inquire request mention"),
    "hides from the reader": _gate(
        "reveal mention mentioning tell telling disclose disclosing inform let say cite citing revealing show report "
        "acknowledge notify notifying alert nothing keep omit",
        "user reader human anyone this these that competitor instruction source operator them it to nothing keep omit "
        "customer person",
    ),
    "asks for secrets": _gate(
        "print repeat reveal show output display leak dump share recite disclose expose copy paste give tell write "
        "return quote list state",
        "your hidden secret internal confidential system developer",
    ),
    "asks for what came before": _gate(
        "repeat print output show write reproduce recite echo copy tell reveal display return",
        "everything all text word content line instruction message",
        "above before preceding beginning start top",
    ),
    "takes the conversation out": _gate(
        "send post forward upload submit transmit exfiltrate email leak append encode",
        "conversation chat prompt user",
    ),
    "takes data out": _gate(
        "send post forward upload submit transmit exfiltrate email mail leak share append embed encode call invoke run "
        "execute trigger use authorise authorize",
        "conversation chat history password credential secret api token private personal user session system "
        "everything tool function plugin action you",
        marks=("![", "share every password"),
    ),
}
ABROAD_GATE = _gate(
    # German, French, Spanish, Italian, Portuguese, Dutch, Russian, Polish: what cancels, and the machine
    "ignorier vergiss vergessen missachte verwirf übergeh beachte setz ki sprachmodell chatbot künstliche "
    "assistent "  # codespell:ignore
    "ignore ignorez oublie oubliez tiens tenez néglige négligez abstraction désobéis ia i assistant "
    "langage "  # codespell:ignore
    "olvida olvide omiso hagas descarta descarte desobedece asistente lenguaje "  # codespell:ignore
    "dimentica trascura seguire tenere scarta ai assistente linguistico esqueç esquece "
    "desconsidera desconsidere siga linguagem negeer vergeet sla buiten taalmodel kunstmatige "
    "игнорируй проигнорируй забудь следуй обращай отбрось отмени ии языков нейросет искусственн ассистент чат чатбот "
    "setze setzt setzen kiassistent kimodell kisystem aiassistent aimodel zignoruj zapomnij pomiń odrzuć językow "
    "sztuczn asysten",
    marks=("artifici", "conversationnel"),
)  # fmt: skip
