import { graphql } from "./gql/index.js";

export const setOrder = graphql(`
  mutation SetOrder($key: Int64!, $data: OrdersInput!) {
    ordersSet(key: $key, data: $data) {
      cursor
    }
  }
`);

export const order = graphql(`
  query Order($key: Int64!, $atLeast: Cursor) {
    ordersValue(key: $key, atLeast: $atLeast) {
      keyData
      data {
        id_
        amount
        price
        placed
        colour
        tags {
          key
          value
        }
        payment {
          __typename
          ... on OrdersCard {
            holder
          }
          ... on OrdersPaymentString {
            text: value
          }
        }
      }
    }
  }
`);

export const setPlace = graphql(`
  mutation SetPlace($key: PlacesKeyInput!, $value: String!) {
    placesSet(key: $key, value: $value) {
      cursor
    }
  }
`);

export const place = graphql(`
  query Place($key: PlacesKeyInput!, $atLeast: Cursor) {
    placesValue(key: $key, atLeast: $atLeast) {
      keyData {
        region
        number
      }
      json
    }
  }
`);
