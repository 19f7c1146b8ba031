//! Invented people and what a salon does, for the demo.

pub(super) const FIRST_NAMES: [&str; 40] = [
    "Anna", "Maria", "Elena", "Olga", "Natalia", "Irina", "Tatiana", "Svetlana", "Ekaterina", "Daria", "Polina", "Alina",
    "Ksenia", "Yulia", "Sofia", "Alisa", "Vera", "Nina", "Galina", "Larisa", "Marina", "Oksana", "Lyubov", "Valeria",
    "Kristina", "Diana", "Milana", "Eva", "Zoya", "Inna", "Alexey", "Dmitry", "Sergey", "Ivan", "Mikhail", "Andrey",
    "Pavel", "Nikita", "Roman", "Maxim",
];

pub(super) const LAST_NAMES: [&str; 50] = [
    "Ivanova", "Petrova", "Sidorova", "Smirnova", "Kuznetsova", "Popova", "Vasilieva", "Sokolova", "Mikhailova", "Novikova",
    "Fedorova", "Morozova", "Volkova", "Alekseeva", "Lebedeva", "Semenova", "Egorova", "Pavlova", "Kozlova", "Stepanova",
    "Nikolaeva", "Orlova", "Andreeva", "Makarova", "Nikitina", "Zakharova", "Zaitseva", "Solovyova", "Borisova", "Yakovleva",
    "Grigorieva", "Romanova", "Vorobyova", "Sergeeva", "Kuzmina", "Frolova", "Alexandrova", "Dmitrieva", "Koroleva", "Guseva",
    "Kiseleva", "Ilyina", "Maximova", "Polyakova", "Sorokina", "Vinogradova", "Kovaleva", "Belova", "Medvedeva", "Antonova",
];

/// Name, and the categories of what they do.
pub(super) const MASTERS: [(&str, &[&str]); 6] = [
    ("Alina Sokolova", &["Hair"]),
    ("Darya Kim", &["Hair"]),
    ("Marat Galiev", &["Hair", "Barber"]),
    ("Kamila Yusupova", &["Nails"]),
    ("Oksana Bondar", &["Nails", "Brows"]),
    ("Irina Veber", &["Brows", "Face"]),
];

/// Name, category, minutes, price in minor units.
pub(super) const SERVICES: [(&str, &str, i64, i64); 20] = [
    ("Women's haircut", "Hair", 60, 250_000),
    ("Haircut and blow-dry", "Hair", 90, 340_000),
    ("Blow-dry", "Hair", 45, 160_000),
    ("Root colouring", "Hair", 120, 480_000),
    ("Full colouring", "Hair", 180, 790_000),
    ("Highlights", "Hair", 180, 890_000),
    ("Keratin treatment", "Hair", 150, 650_000),
    ("Children's haircut", "Hair", 30, 120_000),
    ("Men's haircut", "Barber", 45, 170_000),
    ("Beard trim", "Barber", 30, 110_000),
    ("Haircut and beard", "Barber", 75, 250_000),
    ("Manicure", "Nails", 60, 180_000),
    ("Manicure with gel polish", "Nails", 90, 260_000),
    ("Pedicure", "Nails", 75, 280_000),
    ("Nail extension", "Nails", 150, 420_000),
    ("Brow shaping", "Brows", 30, 100_000),
    ("Brow tint", "Brows", 45, 150_000),
    ("Lash lamination", "Brows", 75, 290_000),
    ("Facial cleansing", "Face", 90, 380_000),
    ("Peeling", "Face", 60, 350_000),
];

pub(super) const SOURCES: [&str; 5] = ["recommendation", "walk-in", "instagram", "maps", "website"];
