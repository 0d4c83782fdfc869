#include "compress/calibration_text.h"

namespace hone::compress {
namespace {

constexpr std::string_view kText = R"TEXT(
The harbour master kept two clocks in his office, and neither of them was right. The one above the
door had stopped at twenty past four in the year of the great flood, when the water came up to the
second shelf and took the tide tables with it. The other, a small brass thing on the desk, gained
six minutes a day, so that by Friday it was always half an hour ahead of the ferries. Visitors used
to ask him why he did not have them repaired. "If they agreed," he would answer, "I should start to
believe them, and then I would stop looking at the sea."

In the spring of that year a young engineer arrived from the city with a letter of recommendation
and three heavy boxes of instruments. She was to measure the silt at the mouth of the river, because
the dredgers could no longer keep the channel open and nobody knew where the sand came from. On the
first morning she rowed out alone, dropped a weighted line every fifty metres, and wrote the depths
into a notebook with a pencil tied to her wrist. By noon she had forty-one numbers. By the end of
the week she had two hundred and eighty, and a map on which the bottom of the bay looked like the
palm of a hand.

Question: Why does ice float on water?
Answer: When water freezes, its molecules arrange themselves in an open lattice that takes up about
nine percent more space than the liquid did. The same mass in a larger volume means a lower density,
and what is less dense than the liquid around it floats. Most substances behave the other way: their
solids sink.

How to make a simple vegetable soup:
1. Chop two onions, three carrots and a stick of celery into pieces of the same size.
2. Heat two tablespoons of oil in a large pot and cook the onions slowly until they are soft.
3. Add the other vegetables, a litre and a half of water, a bay leaf and a little salt.
4. Let it simmer for thirty minutes, then add a handful of small pasta and cook for ten more.
5. Taste it, add pepper and lemon juice, and serve it with bread.

User: Can you help me plan a trip? I have four days and I do not want to drive.
Assistant: Of course. With four days and no car I would stay in one town with a good railway station
and make day trips from there. Tell me three things: the month in which you travel, whether you
prefer mountains or the coast, and roughly how much you want to spend on a room.
User: September, the coast, and not more than ninety a night.
Assistant: Then September is on your side, because the school holidays are over and prices fall
after the first week. I suggest that you arrive on a Thursday, when trains are less crowded.

def moving_average(values, width):
    """Mean of each window of `width` neighbours; shorter windows at the end are left out."""
    if width <= 0:
        raise ValueError("width must be positive")
    total = sum(values[:width])
    result = [total / width]
    for i in range(width, len(values)):
        total += values[i] - values[i - width]
        result.append(total / width)
    return result

The function keeps a running total, so that each step costs one addition and one subtraction however
wide the window is. With floating-point numbers the rounding errors accumulate slowly; for very long
inputs it is better to start the sum again from time to time.

#include <vector>
#include <cstdint>

int64_t count_inversions(const std::vector<int>& a) {
    int64_t count = 0;
    for (size_t i = 0; i < a.size(); ++i) {
        for (size_t j = i + 1; j < a.size(); ++j) {
            if (a[i] > a[j]) ++count;
        }
    }
    return count;
}

SELECT city, COUNT(*) AS orders, SUM(price) AS revenue
FROM sales
WHERE year = 2019 AND price > 0
GROUP BY city
HAVING COUNT(*) >= 10
ORDER BY revenue DESC;

| month | rain (mm) | sun (hours) | mean temperature |
|-------|-----------|-------------|------------------|
| March | 48.2      | 121         | 6.4              |
| April | 51.0      | 168         | 9.1              |
| May   | 60.7      | 203         | 13.8             |
| June  | 72.4      | 211         | 16.9             |

Suppose that a rectangle has a perimeter of 36 and that its length is twice its width. Let the width
be w. Then the length is 2w, the perimeter is 2(w + 2w) = 6w, and 6w = 36 gives w = 6. The rectangle
is 6 by 12 and its area is 72. Check: 6 + 12 + 6 + 12 = 36.

The history of measuring heat is a history of disagreement. Early thermometers were filled with wine
spirit, with oil, with mercury or with plain air, and each maker chose his own fixed points: the
melting of butter, the temperature of a deep cellar, the body of a healthy man. Two careful
observers in two cities could not compare a winter. What ended the quarrel was not a better
instrument but an agreement: that water freezes and boils at temperatures that do not depend on who
is looking, provided that the pressure is known. A scale needs two points that everybody can make
for themselves.

A cell is surrounded by a membrane two molecules thick. Each molecule has a head that likes water
and a tail that avoids it, so that in water they line up with their tails inward and close into a
sheet. Small molecules such as oxygen pass through it; salts and sugars need channels of protein,
which open and close. The difference of charge between the two sides is a store of energy, and nerve
cells spend it when they fire.

Dear Mr. Okafor,
thank you for your letter of 14 June. We are sorry to hear that the second delivery arrived damaged.
We will replace the three broken panels at no cost, and our driver will collect the old ones when he
brings the new ones, probably on Tuesday the 2nd between nine and twelve o'clock. If this time does
not suit you, please call 555-0137 and ask for extension 12.
Yours sincerely,
M. Lindqvist, Customer Service

- Do not store batteries in the refrigerator: moisture does more harm than warmth.
- Read the whole instruction before you begin, then put the tools in the order of their use.
- If the light blinks red twice, switch the device off, wait ten seconds, and start again.
- A backup that has never been restored is a hope, not a backup.

Once there was a fox who wished to learn patience, and so she went to the heron, who could stand on
one leg from dawn to dusk. "It is simple," said the heron. "You look at the water until you forget
that you are looking." The fox sat down on the bank. After a while a dragonfly landed on her nose.
After another while it began to rain. When the heron turned his head at last to praise her, the fox
was gone, and so were the two trout that he had been keeping for his supper.

Am nächsten Morgen lag Schnee auf den Dächern, und die Kinder liefen ohne Frühstück hinaus. Niemand
hatte damit gerechnet; im Radio war von Regen die Rede gewesen. Le marché du village se tient chaque
samedi sur la place, entre la mairie et l'école; on y trouve des légumes, du fromage et parfois de
vieux livres. Los trenes hacia el norte salen cada dos horas, pero los domingos hay sólo uno por la
mañana y otro por la tarde.

{"name": "sensor-7", "unit": "celsius", "values": [19.5, 19.7, 20.1, null, 20.4], "ok": true}

The court held that the contract had been formed when the acceptance was posted, not when it was
received, and that the offer could therefore no longer be withdrawn on the following day. The
appellant argued that nobody can be bound by words that have not reached him. The judges answered
that somebody has to bear the risk of the post, and that the one who invited an answer by letter is
the one who chose it.

"You said there would be a bridge," she whispered.
"There was one," he said. "It was on every map I have ever seen."
They stood in the wind and looked at the two stone towers, one on each bank, with nothing between
them but the noise of the river. Then he laughed, and after a moment she laughed too, because there
was nothing else to be done, and they turned back towards the village where lamps were being lit.
)TEXT";

}  // namespace

std::string_view default_calibration_text() {
    return kText.substr(1);
}

}  // namespace hone::compress
