/** Plain emoji with their names, the one that is written first: few enough to be small, enough to say most. */

export const GROUPS = ["people", "nature", "activity", "things"] as const;
export type GroupName = (typeof GROUPS)[number];

/** By group: emoji and names by turns, entries with "|" between. */
const DATA: Readonly<Record<GroupName, string>> = {
  people:
    "😀 grinning happy|😃 smiley happy|😄 smile happy|😁 grin|😆 laughing|😅 sweat_smile|🤣 rofl lol|😂 joy lol laugh|🙂 slight_smile|🙃 upside_down|😉 wink|😊 blush|😇 innocent angel|🥰 in_love adore|😍 heart_eyes|🤩 star_struck wow|😘 kiss|😋 yum tasty|😛 tongue|😜 crazy|🤪 zany|🤗 hug|🤭 giggle oops|🤫 shush quiet|🤔 thinking hmm|🫡 salute|🤐 zipped|🤨 raised_eyebrow|😐 neutral|😑 expressionless|😶 speechless|😏 smirk|😒 unamused|🙄 roll_eyes|😬 grimace|😮‍💨 exhale sigh|😌 relieved|😔 pensive sad|😪 sleepy|😴 sleeping zzz|😷 mask ill|🤒 fever ill|🤕 hurt|🤢 sick|🥵 hot|🥶 cold|🥴 woozy|😵 dizzy|🤯 mind_blown|🤠 cowboy|🥳 partying|😎 cool sunglasses|🤓 nerd|🧐 monocle|😕 confused|😟 worried|🙁 frown|😮 open_mouth wow|😯 hushed|😲 astonished|😳 flushed|🥺 pleading|😦 dismay|😨 fearful|😰 anxious|😥 sad_relieved|😢 cry tear|😭 sob cry|😱 scream|😖 confounded|😞 disappointed|😩 weary|😫 tired|🥱 yawn|😤 triumph huff|😡 angry rage|🤬 cursing|😈 devil|💀 skull dead|💩 poop|🤡 clown|👻 ghost|👽 alien|🤖 robot bot|😺 cat_smile|🙈 see_no_evil|🙉 hear_no_evil|🙊 speak_no_evil|👋 wave hello bye|✋ hand stop|🖖 vulcan|👌 ok_hand|🤌 pinched|🤏 pinch|✌️ victory peace|🤞 fingers_crossed luck|🤟 love_you|🤘 rock|🤙 call_me|👈 left|👉 right|👆 up|👇 down|☝️ point_up|👍 thumbsup +1 yes like|👎 thumbsdown -1 no|✊ fist|👊 punch|👏 clap applause|🙌 raised_hands hooray|👐 open_hands|🤲 palms|🤝 handshake deal|🙏 pray thanks please|✍️ writing|💪 muscle strong|🧠 brain|👀 eyes look|👁️ eye|👄 mouth|👶 baby|🧑 person|👩 woman|👨 man|🧑‍💻 technologist developer|🧑‍🚀 astronaut|🧑‍🍳 cook|🧑‍🎨 artist|🙋 raising_hand|🙅 no_good|🙆 ok_person|🤦 facepalm|🤷 shrug|💁 tipping_hand|🙇 bow|🚶 walking|🏃 running|💃 dancer|🕺 dancing|🧘 lotus yoga|🧗 climbing|🛌 in_bed|👪 family|🫶 heart_hands",
  nature:
    "🐶 dog|🐱 cat|🐭 mouse|🐹 hamster|🐰 rabbit|🦊 fox|🐻 bear|🐼 panda|🐨 koala|🐯 tiger|🦁 lion|🐮 cow|🐷 pig|🐸 frog|🐵 monkey|🐔 chicken|🐧 penguin|🐦 bird|🦆 duck|🦉 owl|🦄 unicorn|🐝 bee|🐛 bug|🦋 butterfly|🐌 snail|🐞 ladybug|🐢 turtle|🐍 snake|🦕 dinosaur|🐙 octopus|🦀 crab|🐠 fish|🐬 dolphin|🐳 whale|🦈 shark|🐘 elephant|🐎 horse|🦥 sloth|🌵 cactus|🎄 christmas_tree|🌲 tree|🌴 palm|🌱 seedling plant|🍀 clover luck|🍁 maple autumn|🍄 mushroom|🌹 rose|🌻 sunflower|🌸 blossom|💐 bouquet flowers|🌍 earth world|🌙 moon|☀️ sun|⛅ cloudy|🌧️ rain|⛈️ storm|❄️ snowflake|☃️ snowman|🌈 rainbow|🔥 fire hot|💧 drop water|🌊 ocean wave|⭐ star|✨ sparkles|⚡ zap lightning|🍎 apple|🍊 orange|🍋 lemon|🍌 banana|🍉 watermelon|🍇 grapes|🍓 strawberry|🍒 cherries|🍑 peach|🥭 mango|🍍 pineapple|🥝 kiwi|🍅 tomato|🥑 avocado|🥦 broccoli|🌽 corn|🥕 carrot|🧄 garlic|🍞 bread|🥐 croissant|🥨 pretzel|🧀 cheese|🥚 egg|🍳 cooking|🥞 pancakes|🍔 burger|🍟 fries|🍕 pizza|🌭 hotdog|🥪 sandwich|🌮 taco|🥗 salad|🍝 spaghetti pasta|🍜 ramen soup|🍣 sushi|🍦 icecream|🍩 donut|🍪 cookie|🎂 birthday|🍰 cake|🍫 chocolate|🍿 popcorn|☕ coffee|🍵 tea|🥤 drink|🍺 beer|🍻 beers cheers|🥂 champagne cheers|🍷 wine|🍸 cocktail|🧊 ice|🍽️ plate lunch dinner",
  activity:
    "⚽ soccer football|🏀 basketball|🏈 american_football|⚾ baseball|🎾 tennis|🏐 volleyball|🏓 pingpong|🥊 boxing|⛳ golf|🎿 ski|🏂 snowboard|🏋️ lifting gym|🚴 cycling bike|🏊 swim|🏆 trophy win|🥇 gold first|🥈 silver second|🥉 bronze third|🎯 dart target|🎮 game|🎲 dice|🧩 puzzle|♟️ chess|🎭 theatre|🎨 art|🎤 microphone sing|🎧 headphones|🎸 guitar|🎹 piano|🎺 trumpet|🎻 violin|🥁 drum|🎬 film movie|🎉 tada party|🎊 confetti|🎈 balloon|🎁 gift present|🎟️ ticket|🎃 halloween pumpkin|🎆 fireworks|🚗 car|🚕 taxi|🚌 bus|🚑 ambulance|🚒 fire_engine|🚜 tractor|🚲 bicycle|🛴 scooter|🚂 train|🚇 metro|✈️ airplane flight|🚀 rocket ship launch|🛸 ufo|🚁 helicopter|⛵ sailboat|🚢 boat|⚓ anchor|🚦 traffic_light|🚧 construction wip|🗺️ map|🏠 house home|🏢 office|🏥 hospital|🏫 school|🏭 factory|🏖️ beach holiday|🏔️ mountain|🏕️ camping|🌋 volcano|🌅 sunrise|🌃 night|🌉 bridge|🗽 liberty|🗼 tower",
  things:
    "❤️ heart love|🧡 orange_heart|💛 yellow_heart|💚 green_heart|💙 blue_heart|💜 purple_heart|🖤 black_heart|🤍 white_heart|💔 broken_heart|💕 hearts|💯 hundred 100|💢 anger|💥 boom|💫 dizzy_star|💦 sweat|💨 dash fast|💬 speech|💭 thought|💤 zzz|✅ check done yes|☑️ checkbox|✔️ tick|❌ x no cross|❎ cross_mark|⭕ circle|🚫 forbidden|⛔ no_entry|❗ exclamation|❓ question|‼️ double_exclamation|⚠️ warning|🔴 red|🟠 orange_circle|🟡 yellow|🟢 green|🔵 blue|🟣 purple|⚫ black|⚪ white|🔺 up_triangle|🔻 down_triangle|➕ plus|➖ minus|➡️ arrow_right|⬅️ arrow_left|⬆️ arrow_up|⬇️ arrow_down|🔄 refresh|🔁 repeat|♻️ recycle|🆗 ok|🆕 new|🆘 sos|ℹ️ info|⌚ watch|📱 phone mobile|💻 laptop computer|⌨️ keyboard|🖥️ desktop|🖨️ printer|🖱️ mouse_device|💾 floppy save|💿 disc|📷 camera|📹 video|📺 tv|📻 radio|⏰ alarm clock|⏱️ stopwatch|⏳ hourglass wait|🔋 battery|🔌 plug|💡 bulb idea|🔦 flashlight|🕯️ candle|💰 money|💳 card|💎 gem|⚖️ scales|🔧 wrench fix|🔨 hammer|🛠️ tools|⚙️ gear|🔗 link|🧲 magnet|🧪 test_tube|🔬 microscope|🔭 telescope|💉 syringe|💊 pill|🚪 door|🛋️ couch|🚿 shower|🧹 broom clean|🧻 paper|🛒 cart|🔑 key|🔒 lock|🔓 unlock|🔔 bell|🔕 no_bell|📣 megaphone|📢 loudspeaker announce|🔍 search|📌 pin|📎 paperclip|✂️ scissors|📝 memo note|✏️ pencil|📄 page|📅 calendar date|📆 date_calendar|📈 chart_up|📉 chart_down|📊 bar_chart|📋 clipboard|📁 folder|📚 books|📖 book|📰 news|✉️ envelope mail|📧 email|📦 package box|🗑️ trash bin|🏁 finish|🚩 flag|🏳️‍🌈 rainbow_flag|🎵 music|🎶 notes|🛡️ shield|🏷️ label tag|👑 crown|🎓 graduate|👓 glasses|👕 shirt|👟 shoe|🎒 backpack|☂️ umbrella|🧯 extinguisher|🧭 compass|🪄 magic_wand|🐛 bug_report",
};

export interface PlainEmoji {
  readonly emoji: string;
  /** The first is its own. */
  readonly names: readonly string[];
}

const parsed = new Map<GroupName, readonly PlainEmoji[]>();

/** The emoji of a group. */
export function emojiOf(group: GroupName): readonly PlainEmoji[] {
  let all = parsed.get(group);
  if (all === undefined) {
    all = DATA[group].split("|").map((entry) => {
      const [emoji = "", ...names] = entry.split(" ");
      return { emoji, names };
    });
    parsed.set(group, all);
  }
  return all;
}
