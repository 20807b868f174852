"""Names to make people up from: common given and family names of several languages and scripts, joined at random.

A name that is not written in Latin letters stands with the spelling that its owner would use in an email address.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from jobs.demo.chance import Chance

# Letters that do not come apart into a plain letter and an accent.
_SPELT_OUT = str.maketrans({"ß": "ss", "ø": "o", "Ø": "O", "æ": "ae", "Æ": "AE", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D",
                            "ı": "i", "ð": "d", "þ": "th"})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Name:
    """A name as its owner writes it, and both parts as plain lower-case letters."""

    given: str
    family: str
    given_plain: str
    family_plain: str

    @property
    def full(self) -> str:
        return f"{self.given} {self.family}"


@dataclass(frozen=True, slots=True)
class NamePool:
    """The given and family names of one language, each `written` or `written/plain`."""

    given: tuple[str, ...]
    family: tuple[str, ...]


def _pool(given: str, family: str) -> NamePool:
    return NamePool(tuple(given.split()), tuple(family.split()))


WESTERN = (
    _pool("Pat Robin Alex Morgan Casey Jordan Leslie Avery Taylor Quinn",
          "Doe Sample Fenwick O'Hara Whitlock Marsh Calloway Thistlewood Penrose Smith-Jones"),
    _pool("Jürgen Zoë Käthe Björn Anneliese Günther Sören Heike",
          "Müller Groß Schröder Weiß Köhler Vogel Jäger Beispiel"),
    _pool("Chloé François Hélène Étienne Maëlle Benoît Aurélie", "Lefèvre Exemple Béranger D'Arcy Noël Château Garçon"),
    _pool("José Íñigo Begoña Lucía Andrés Núria", "Muñoz Ibáñez Peña Ejemplo Vázquez García"),
    _pool("João Inês Conceição António Lurdes", "Gonçalves Simões Exemplo Araújo Falcão"),
    _pool("Åsa Søren Freyja Øyvind Märta", "Ångström Sørensen Nygård Bjørk Eksempel"),
)  # fmt: skip
"""Languages that the code page of Western Windows can write (the campaign list is in it)."""

WORLD = (
    *WESTERN,
    _pool("Łukasz Zofia Małgorzata Wojciech", "Przykład Wiśniewski Żak Dąbrowska"),
    _pool("Çağla Ayşe Işıl Oğuz", "Örnek Yıldız Şahin Güneş"),
    _pool("Nguyệt Đức Hạnh Tuấn", "Nguyễn Trần Đặng Phạm"),
    _pool("Ελένη/eleni Γιώργος/giorgos Μαρία/maria", "Παπάς/papas Δημητρίου/dimitriou Νικολάου/nikolaou"),
    _pool("Иван/ivan Ольга/olga Дмитрий/dmitry", "Примеров/primerov Соколова/sokolova Лебедев/lebedev"),
    _pool("ليلى/layla يوسف/yusuf نور/nour", "حداد/haddad نجار/najjar منصور/mansour"),
    _pool("נועה/noa דוד/david יעל/yael", "כהן/cohen לוי/levi מזרחי/mizrahi"),
    _pool("伟/wei 芳/fang 明/ming", "王/wang 李/li 张/zhang"),
    _pool("花子/hanako 太郎/taro さくら/sakura", "山田/yamada 鈴木/suzuki 高橋/takahashi"),
    _pool("민수/minsu 지은/jieun 하늘/haneul", "김/kim 박/park 최/choi"),
    _pool("अनिता/anita रवि/ravi मीना/meena", "शर्मा/sharma वर्मा/verma पटेल/patel"),
)
"""Every script that the alumni list has (it is in UTF-8)."""


def draw_name(chance: Chance, pools: tuple[NamePool, ...]) -> Name:
    """A given name and a family name of one language."""
    pool = chance.pick(pools)
    given, given_plain = _both_spellings(chance.pick(pool.given))
    family, family_plain = _both_spellings(chance.pick(pool.family))
    return Name(given, family, given_plain, family_plain)


def _both_spellings(entry: str) -> tuple[str, str]:
    written, _, plain = entry.partition("/")
    return written, plain or _plain(written)


def _plain(written: str) -> str:
    apart = unicodedata.normalize("NFKD", written.translate(_SPELT_OUT))
    return "".join(letter for letter in apart if letter.isascii() and letter.isalpha()).lower()
