//! Services and who does them: how long they take there, and what they cost.

use std::collections::BTreeMap;

use pergola_plugin::prelude::*;

/// A service, as the business sells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Service {
    pub(crate) id: Id,
    pub(crate) name: String,
    pub(crate) category: Option<String>,
    pub(crate) minutes: i64,
    pub(crate) price: Option<Money>,
    /// Whether people may book it themselves.
    pub(crate) online: bool,
}

/// That a master does a service, and how there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Offering {
    pub(crate) master: Id,
    pub(crate) service: Id,
    pub(crate) minutes: Option<i64>,
    pub(crate) price: Option<Money>,
}

/// How long a service takes with a master, and what it costs there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) minutes: i64,
    pub(crate) price: Option<Money>,
}

/// The services that are asked for, and their offerings.
#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    services: BTreeMap<Id, Service>,
    offerings: Vec<Offering>,
}

impl Catalogue {
    pub(crate) fn new(services: impl IntoIterator<Item = Service>, offerings: Vec<Offering>) -> Self {
        Self { services: services.into_iter().map(|service| (service.id, service)).collect(), offerings }
    }

    pub(crate) fn service(&self, id: Id) -> Option<&Service> {
        self.services.get(&id)
    }

    /// Whether the master does the service. A service without any offering is done by every master.
    pub(crate) fn does(&self, master: Id, service: Id) -> bool {
        let mut offered = self.offerings.iter().filter(|offering| offering.service == service).peekable();
        offered.peek().is_none() || offered.any(|offering| offering.master == master)
    }

    /// The terms of a service with a master; none if there is no such service.
    pub(crate) fn terms(&self, service: Id, master: Option<Id>) -> Option<Terms> {
        let general = self.services.get(&service)?;
        let own = self.offerings.iter().find(|one| one.service == service && Some(one.master) == master);
        Some(Terms {
            minutes: own.and_then(|offering| offering.minutes).unwrap_or(general.minutes),
            price: own.and_then(|offering| offering.price.clone()).or_else(|| general.price.clone()),
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn id(number: u128) -> Id {
        Id::from_u128(number)
    }

    pub(crate) fn service(number: u128, minutes: i64, euros: i64) -> Service {
        Service {
            id: id(number),
            name: format!("Service {number}"),
            category: None,
            minutes,
            price: Some(Money::new(euros * 100, "EUR")),
            online: true,
        }
    }

    pub(crate) fn offering(master: u128, service: u128, minutes: Option<i64>, euros: Option<i64>) -> Offering {
        let price = euros.map(|euros| Money::new(euros * 100, "EUR"));
        Offering { master: id(master), service: id(service), minutes, price }
    }

    #[test]
    fn an_offering_overrides_what_it_names() {
        let catalogue = Catalogue::new([service(10, 60, 30)], vec![offering(1, 10, Some(90), None)]);
        let terms = |master| catalogue.terms(id(10), Some(id(master))).unwrap();
        assert_eq!(terms(1), Terms { minutes: 90, price: Some(Money::new(3000, "EUR")) });
        assert_eq!(terms(2).minutes, 60);
        assert_eq!(catalogue.terms(id(11), None), None);
    }

    #[test]
    fn a_service_that_nobody_offers_is_done_by_everybody() {
        let catalogue = Catalogue::new([service(10, 60, 30), service(11, 60, 30)], vec![offering(1, 10, None, None)]);
        let who = |service| [1, 2].map(|master| catalogue.does(id(master), id(service)));
        assert_eq!((who(10), who(11)), ([true, false], [true, true]));
    }
}
